import { expect, test } from 'vitest';
import { Gathered } from '../../src/xen/gathered.ts';
import { HandClock } from '../contract/hand-clock.ts';

function gathered() {
  const clock = new HandClock();
  const jobs: (() => void)[] = [];
  const one = new Gathered(clock, 100, () => new Promise<void>((resolve) => jobs.push(resolve)));
  return { clock, jobs, one };
}

test('what is told within the time is one job, and what is told while it is done is one more', async () => {
  const { clock, jobs, one } = gathered();
  one.tell();
  clock.advance(60);
  one.tell();
  expect(jobs).toHaveLength(0);
  clock.advance(40);
  expect(jobs).toHaveLength(1);
  one.tell();
  one.tell();
  await clock.turn(1000);
  expect(jobs).toHaveLength(1);
  jobs[0]!();
  await new Promise(setImmediate);
  await clock.turn(100);
  expect(jobs).toHaveLength(2);
  jobs[1]!();
  await new Promise(setImmediate);
  await clock.turn(1000);
  expect(jobs).toHaveLength(2);
});

test('after its end nothing is done any more', async () => {
  const { clock, jobs, one } = gathered();
  one.tell();
  one.close();
  one.tell();
  await clock.turn(1000);
  expect(jobs).toHaveLength(0);
});

import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ACTOR, Bench } from './support/engine-bench.ts';

const DAY = 86_400_000;
const order = { services: ['mail'], to: 'secondary' } as const;
let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

const texts = (): string[] => bench.journalAfter(0).map(({ text }) => text);
const write = (text: string): void => void bench.store.append({ ...entry, at: bench.clock.now(), text });
const entry = {
  kind: 'hold',
  services: ['mail', 'ldap'],
  by: 'somebody',
  why: null,
  details: {},
} as const;

/** Time passes in steps in which everybody who waits for a time has it. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= DAY) await bench.pass(Math.min(left, DAY));
  for (let turn = 0; turn < 30; turn++) await bench.pass(200);
}

async function keep(duration: string): Promise<void> {
  const config = JSON.parse(readFileSync(bench.file, 'utf8')) as object;
  writeFileSync(bench.file, JSON.stringify({ ...config, journal: { keep: duration } }));
  await bench.engine.reload(ACTOR);
}

describe('the journal', () => {
  it('forgets what is older than 400 days where nothing else is said, and nothing younger', async () => {
    write('old');
    await pass(2 * DAY);
    write('young');
    await pass(397 * DAY);
    expect(texts()).toEqual(expect.arrayContaining(['old', 'young']));
    await pass(2 * DAY);
    expect(texts()).not.toContain('old');
    expect(texts()).toContain('young');
    expect(bench.store.journal({ limit: 10, service: 'ldap' }).map(({ text }) => text)).toEqual(['young']);
  });

  it('forgets as the configuration says, which a reload changes, or nothing at all', async () => {
    write('old');
    await keep('never');
    await pass(500 * DAY);
    expect(texts()).toContain('old');
    await keep('7d');
    await pass(DAY);
    expect(texts()).not.toContain('old');
    expect(texts().some((text) => text.includes('reloaded'))).toBe(true);
  });

  it('keeps everything from the beginning of a trial that is open, and forgets it when it has ended', async () => {
    await keep('1d');
    write('before');
    await bench.pass(1000);
    const { id } = await bench.engine.switchOver({ ...order, confirmWithin: null }, ACTOR);
    write('during');
    await pass(30 * DAY);
    expect(texts()).not.toContain('before');
    expect(texts()).toContain('during');
    expect(bench.kindsAfter(0)).toContain('switch');
    await bench.engine.confirm(id, ACTOR);
    expect(bench.engine.switchById(id)).toMatchObject({ state: 'confirmed' });
    await pass(3 * DAY);
    expect(texts()).not.toContain('during');
    expect(() => bench.engine.switchById(id)).toThrow(/no switch/);
  });

  it('forgets thousands a few at a time, so that a switch waits for none of them but a few', async () => {
    await keep('1d');
    bench.store.write(() => {
      for (let n = 0; n < 1000; n++) write(`old ${n}`);
    });
    const old = (): number => texts().filter((text) => text.startsWith('old')).length;
    bench.clock.advance(3 * DAY);
    await bench.settle();
    const steps = [old()];
    for (let turn = 0; turn < 200 && old() > 0; turn++) {
      await bench.pass(100);
      if (steps.at(-1) !== old()) steps.push(old());
    }
    expect(steps.at(-1)).toBe(0);
    steps.slice(1).forEach((left, i) => expect((steps[i] ?? 0) - left).toBeLessThanOrEqual(200));
  });
});

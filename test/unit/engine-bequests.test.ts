import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Bequest } from '../../src/kernel/kernel.ts';
import { DEFAULT_MARK_MASK, encodeMark } from '../../src/model/mark.ts';
import type { Slot } from '../../src/model/state.ts';
import { ACTOR, Bench, network } from './support/engine-bench.ts';
import { flowTo } from './support/flow-to.ts';

const MINUTE = 60_000;
/** On trial until somebody says otherwise. */
const ORDER = { services: ['mail'], to: 'secondary', confirmWithin: null } as const;
const TESTER = network('198.51.100.7/32');

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

/** Flows of mail's datagrams to one of its DomUs. */
const flowsTo = (slot: Slot): Bequest['flows'] => ({
  value: encodeMark({ id: 1, slot, protocol: 'udp' }, DEFAULT_MARK_MASK),
  mask: DEFAULT_MARK_MASK,
});
/** What is left to be done, each once, at the earliest. */
function left(): (Omit<Bequest, 'at'> & { after: number })[] {
  const { bequests } = bench.kernel;
  const marks = [...new Set(bequests.map(({ flows }) => flows.value))];
  return marks.map((value) => {
    const same = bequests.filter(({ flows }) => flows.value === value).toSorted((a, b) => a.at - b.at);
    return { ...same[0]!, at: undefined, after: same[0]!.at - bench.clock.now() };
  });
}
const soonAfter = (least: number): unknown =>
  expect.toSatisfy((ms: number) => ms > least && ms < least + 1000);

test('whoever dies between a flip and the end of old flows leaves these to be ended', async () => {
  bench.kernel.addFlow(flowTo('a', 'udp'));
  bench.fail((_, what) => (what.startsWith('deleteFlow') ? 'die' : undefined));
  void bench.engine.switchOver(ORDER, ACTOR).catch(() => undefined);
  await bench.settle();
  expect(bench.dead).toBe(true);
  expect(left()).toMatchObject([{ flows: flowsTo('a'), sparing: [], after: soonAfter(0) }]);
});

test('who lives to end them leaves nothing', async () => {
  const { id } = await bench.engine.switchOver(ORDER, ACTOR);
  expect(left()).toEqual([]);
  await bench.engine.rollback(id, ACTOR);
  expect(left()).toEqual([]);
});

test('the end of a trial is left to others until it is confirmed; testers’ flows are not', async () => {
  const order = { services: ['mail'], to: 'secondary', confirmWithin: MINUTE } as const;
  const { id } = await bench.engine.switchOver(order, ACTOR);
  expect(left()).toMatchObject([{ flows: flowsTo('b'), sparing: [TESTER], after: soonAfter(MINUTE) }]);
  await bench.engine.confirm(id, ACTOR);
  expect(left()).toEqual([]);
});

test('a rollback spares testers, who stay where they are', async () => {
  const { id } = await bench.engine.switchOver(ORDER, ACTOR);
  bench.kernel.addFlow(flowTo('b', 'udp'));
  bench.fail((_, what) => (what.startsWith('deleteFlow') ? 'die' : undefined));
  void bench.engine.rollback(id, ACTOR).catch(() => undefined);
  await bench.settle();
  expect(bench.dead).toBe(true);
  expect(left()).toMatchObject([{ flows: flowsTo('b'), sparing: [TESTER], after: soonAfter(0) }]);
});

test('the end of a lease is, but for a service on trial, where that moves nobody', async () => {
  const lease = { expiresIn: MINUTE, note: null };
  await bench.engine.enrol('mail', network('203.0.113.0/24'), lease, ACTOR);
  expect(left()).toMatchObject([{ flows: flowsTo('b'), sparing: [TESTER], after: soonAfter(MINUTE) }]);
  await bench.engine.switchOver(ORDER, ACTOR);
  expect(left()).toEqual([]);
});

test('a service that has no datagrams leaves nothing, nor does who was torn down', async () => {
  await bench.engine.switchOver({ services: ['mail'], to: 'secondary', confirmWithin: MINUTE }, ACTOR);
  expect(left()).toHaveLength(1);
  await bench.engine.teardown(ACTOR);
  expect(left()).toEqual([]);
});

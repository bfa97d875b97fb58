import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Flow } from '../../src/kernel/kernel.ts';
import { DarkWatch } from '../../src/metrics/dark-watch.ts';
import { DEFAULT_MARK_MASK, encodeMark } from '../../src/model/mark.ts';
import type { Slot } from '../../src/model/state.ts';
import { ACTOR, Bench, CUSTOMER, network } from './support/engine-bench.ts';

const TESTER = '198.51.100.7';
const ORDER = { services: ['mail'], to: 'secondary' } as const;

let bench: Bench;
let watch: DarkWatch;
let flows = 0;

beforeEach(async () => {
  bench = await Bench.open();
  watch = new DarkWatch(bench.engine, bench.kernel, bench.clock);
  await look();
});
afterEach(() => bench.close());

/** The kernel has directed so many connections to this DomU of mail. */
function directed(slot: Slot, packets: number): void {
  bench.kernel.addTraffic('dir-new', slot === 'a' ? '10.25.0.2' : '10.25.0.3', {
    packets,
    bytes: packets * 60,
  });
}

/** One of them is still open. */
function open(slot: Slot, from: string): void {
  directed(slot, 1);
  const address = slot === 'a' ? '10.25.0.2' : '10.25.0.3';
  const flow: Flow = {
    family: 4,
    protocol: 'tcp',
    from: { family: 4, text: from },
    to: { family: 4, text: '192.0.2.25' },
    fromPort: 40_000 + flows,
    toPort: 25,
    answeredBy: { family: 4, text: address },
    answeredPort: 25,
    mark: encodeMark({ id: 1, slot, protocol: 'tcp' }, DEFAULT_MARK_MASK),
    id: ++flows,
    closing: false,
  };
  bench.kernel.addFlow(flow);
}

const look = async (): Promise<unknown> =>
  watch.look({ open: await bench.kernel.countFlows(DEFAULT_MARK_MASK) });

async function misdirected(): Promise<number> {
  await look();
  return watch.misdirected('mail');
}

describe('a healthy cutover', () => {
  it('misdirects nobody: before, during and after a trial, rolled back or confirmed', async () => {
    directed('a', 100);
    const { id } = await bench.engine.switchOver(ORDER, ACTOR);
    await bench.settle();
    directed('b', 100);
    expect(await misdirected()).toBe(0);
    await bench.engine.rollback(id, ACTOR);
    await bench.settle();
    directed('a', 100);
    expect(await misdirected()).toBe(0);
    const again = await bench.engine.switchOver(ORDER, ACTOR);
    await bench.engine.confirm(again.id, ACTOR);
    await bench.settle();
    directed('b', 100);
    expect(await misdirected()).toBe(0);
  });

  it('is looked at right after the flip: what comes then is counted, and once', async () => {
    await bench.engine.switchOver(ORDER, ACTOR);
    directed('a', 100);
    await bench.settle();
    expect(await misdirected()).toBe(100);
    expect(await misdirected()).toBe(100);
  });

  it('is no matter of testers: they reach the dark DomU, and their connections may stay', async () => {
    open('b', TESTER);
    open('b', TESTER);
    expect(await misdirected()).toBe(0);
  });

  it('is none of a tester whose lease has ended since', async () => {
    await bench.engine.enrol('mail', network('203.0.113.9'), { expiresIn: 60_000, note: null }, ACTOR);
    await look();
    open('b', '203.0.113.9');
    await bench.pass(61_000);
    expect(await misdirected()).toBe(0);
  });

  it('at the deadline nobody can say whose a connection is, and it is not counted', async () => {
    await bench.engine.switchOver({ ...ORDER, confirmWithin: 10_000 }, ACTOR);
    await bench.settle();
    await bench.pass(8000);
    directed('a', 5);
    expect(await misdirected()).toBe(0);
    await bench.pass(5000);
    directed('a', 100);
    expect(await misdirected()).toBe(0);
  });
});

describe('what reaches the dark DomU', () => {
  it('in a trial is misdirected, whoever it is', async () => {
    await bench.engine.switchOver(ORDER, ACTOR);
    await bench.settle();
    directed('a', 3);
    expect(await misdirected()).toBe(3);
  });

  it('is seen in time although a rollback comes before the next scrape', async () => {
    const { id } = await bench.engine.switchOver(ORDER, ACTOR);
    await bench.settle();
    directed('a', 3);
    await bench.pass(1000);
    await bench.engine.rollback(id, ACTOR);
    directed('a', 1000);
    expect(await misdirected()).toBe(3);
  });

  it('of a confirmed service, whose testing is closed, is misdirected', async () => {
    const { id } = await bench.engine.switchOver(ORDER, ACTOR);
    await bench.engine.confirm(id, ACTOR);
    await bench.settle();
    directed('a', 2);
    expect(await misdirected()).toBe(2);
  });

  it('beside testers is told from theirs by its source', async () => {
    open('b', TESTER);
    await look();
    open('b', CUSTOMER);
    open('b', TESTER);
    expect(await misdirected()).toBe(1);
    expect(await misdirected()).toBe(1);
  });

  it('after a rollback does not take what still drains there for new', async () => {
    const { id } = await bench.engine.switchOver(ORDER, ACTOR);
    open('b', CUSTOMER);
    await bench.engine.rollback(id, ACTOR);
    await bench.settle();
    expect(await misdirected()).toBe(0);
    open('b', CUSTOMER);
    expect(await misdirected()).toBe(1);
  });
});

describe('counters that cannot be read', () => {
  it('are no reason to count anybody', async () => {
    directed('a', 50);
    await bench.engine.switchOver(ORDER, ACTOR);
    await bench.settle();
    bench.kernel.failNext('counters', new Error('no'));
    expect(await misdirected()).toBe(0);
    expect(await misdirected()).toBe(0);
  });
});

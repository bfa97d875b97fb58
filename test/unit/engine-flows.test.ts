import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_MARK_MASK } from '../../src/model/mark.ts';
import type { Protocol } from '../../src/model/service.ts';
import type { Slot } from '../../src/model/state.ts';
import { ACTOR, Bench, network } from './support/engine-bench.ts';
import { flowTo } from './support/flow-to.ts';

const MINUTE = 60_000;
let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

const counted = async (slot: Slot, protocol: Protocol): Promise<number> => {
  const { mark } = flowTo(slot, protocol);
  return (await bench.kernel.countFlows(DEFAULT_MARK_MASK)).get(mark) ?? 0;
};

/** The director dies at the first flow that it would end; all before that is done and written down. */
async function dieBeforeFlows(work: () => Promise<unknown>): Promise<void> {
  bench.fail((_, what) => (what.startsWith('deleteFlow') ? 'die' : undefined));
  void work().catch(() => undefined);
  for (let turns = 0; turns < 200; turns++) await new Promise((resolve) => setImmediate(resolve));
}

const order = { services: ['mail'], to: 'secondary', connections: 'cut' } as const;

describe('old flows that a director did not live to end', () => {
  it('are ended by the next one, after a switch', async () => {
    for (const protocol of ['tcp', 'udp'] as const) bench.kernel.addFlow(flowTo('a', protocol));
    await dieBeforeFlows(() => bench.engine.switchOver(order, ACTOR));
    expect(await counted('a', 'udp')).toBe(1);
    await bench.restart();
    expect([await counted('a', 'tcp'), await counted('a', 'udp')]).toEqual([0, 0]);
    expect(bench.store.intents()).toEqual([]);
  });

  it('are ended by the next one, after a rollback', async () => {
    const { id } = await bench.engine.switchOver(order, ACTOR);
    for (const protocol of ['tcp', 'udp'] as const) bench.kernel.addFlow(flowTo('b', protocol));
    await dieBeforeFlows(() => bench.engine.rollback(id, ACTOR));
    expect(await counted('b', 'udp')).toBe(1);
    await bench.restart();
    expect([await counted('b', 'tcp'), await counted('b', 'udp')]).toEqual([0, 0]);
    expect(bench.store.intents()).toEqual([]);
  });

  it('are those of the DomU that is dark by then: a trial that ended meanwhile made the old one live again', async () => {
    await dieBeforeFlows(() => bench.engine.switchOver({ ...order, confirmWithin: MINUTE }, ACTOR));
    bench.clock.advance(2 * MINUTE);
    for (const slot of ['a', 'b'] as const) {
      for (const protocol of ['tcp', 'udp'] as const) bench.kernel.addFlow(flowTo(slot, protocol));
    }
    await bench.restart();
    expect([await counted('a', 'tcp'), await counted('a', 'udp')]).toEqual([1, 1]);
    expect([await counted('b', 'tcp'), await counted('b', 'udp')]).toEqual([0, 0]);
  });
});

it('a start ends no flow but datagrams that go elsewhere than they would from now on', async () => {
  await bench.engine.switchOver(order, ACTOR);
  for (const slot of ['a', 'b'] as const)
    for (const protocol of ['tcp', 'udp'] as const) bench.kernel.addFlow(flowTo(slot, protocol));
  await bench.restart();
  expect([await counted('a', 'tcp'), await counted('b', 'tcp')]).toEqual([1, 1]);
  expect([await counted('a', 'udp'), await counted('b', 'udp')]).toEqual([0, 1]);
});

describe('datagrams of who begins or ceases to test', () => {
  const source = network('100.64.0.9/32');
  const lease = { expiresIn: MINUTE, note: null };
  const sends = (slot: Slot): void => bench.kernel.addFlow(flowTo(slot, 'udp'));
  const goOn = async (): Promise<number[]> => [await counted('a', 'udp'), await counted('b', 'udp')];
  const another = {
    ...flowTo('a', 'udp'),
    from: { family: 4, text: '100.64.0.10' },
    fromPort: 1,
    id: 9,
  } as const;

  it('follow when he is enrolled, and nobody else’s do', async () => {
    sends('a');
    bench.kernel.addFlow(another);
    await bench.engine.enrol('mail', source, lease, ACTOR);
    expect(await goOn()).toEqual([1, 0]);
  });

  it.each([
    ['when he is not any more', () => bench.engine.unenrol('mail', source, ACTOR)],
    ['when testing is closed', () => bench.engine.setTesting('mail', 'closed', ACTOR)],
    ['when his lease ends', () => bench.pass(MINUTE + 1)],
  ] as const)('follow %s', async (_, cease) => {
    await bench.engine.enrol('mail', source, lease, ACTOR);
    sends('b');
    await cease();
    expect(await goOn()).toEqual([0, 0]);
  });

  it('stay where everybody is on trial', async () => {
    await bench.engine.switchOver(order, ACTOR);
    sends('b');
    await bench.engine.enrol('mail', source, lease, ACTOR);
    await bench.engine.unenrol('mail', source, ACTOR);
    expect(await goOn()).toEqual([0, 1]);
  });

  it('follow when the director that enrolled him died before they could', async () => {
    sends('a');
    await dieBeforeFlows(() => bench.engine.enrol('mail', source, lease, ACTOR));
    expect(await goOn()).toEqual([1, 0]);
    await bench.restart();
    expect(await goOn()).toEqual([0, 0]);
  });
});

it("what a tester has open stays, where a rollback cuts the others': he is still directed there", async () => {
  const { id } = await bench.engine.switchOver(order, ACTOR);
  bench.kernel.addFlow(flowTo('b', 'tcp'));
  const tester = { family: 4, text: '198.51.100.7' } as const;
  bench.kernel.addFlow({ ...flowTo('b', 'tcp'), from: tester, id: 9 });
  expect((await bench.engine.rollback(id, ACTOR)).cut).toBe(1);
  expect(await counted('b', 'tcp')).toBe(1);
});

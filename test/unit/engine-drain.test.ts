import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Flow } from '../../src/kernel/kernel.ts';
import { DEFAULT_MARK_MASK, encodeMark } from '../../src/model/mark.ts';
import type { Slot } from '../../src/model/state.ts';
import { ACTOR, Bench } from './support/engine-bench.ts';

const MINUTE = 60_000;
const TESTER = '198.51.100.7';
let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

let ports = 40_000;
/** A TCP connection of mail's, as the rules would have marked it. */
function connect(slot: Slot, from = '100.64.0.9'): Flow {
  const fromPort = ports++;
  const flow: Flow = {
    family: 4,
    protocol: 'tcp',
    from: { family: 4, text: from },
    to: { family: 4, text: '192.0.2.25' },
    fromPort,
    toPort: 25,
    answeredBy: { family: 4, text: slot === 'a' ? '10.25.0.2' : '10.25.0.3' },
    answeredPort: 25,
    mark: encodeMark({ id: 1, slot, protocol: 'tcp' }, DEFAULT_MARK_MASK),
    id: fromPort,
    closing: false,
  };
  bench.kernel.addFlow(flow);
  return flow;
}

/** As somebody sees who looks a while later. */
async function drainNow(): Promise<unknown> {
  await bench.pass(600);
  return (await bench.snapshot('mail')).drain;
}

const order = { services: ['mail'], to: 'secondary', connections: 'drain', drainFor: 5 * MINUTE } as const;

describe('what drains after a switch', () => {
  it('is counted down to nothing, with the time at which the rest is cut', async () => {
    const first = connect('a');
    const [second, end] = [connect('a'), bench.clock.now() + 5 * MINUTE];
    expect(await drainNow()).toBeNull();
    await bench.engine.switchOver(order, ACTOR);
    const until = (await drainNow()) as { until: number };
    expect(until).toMatchObject({ flows: 2 });
    expect(until.until).toBeGreaterThanOrEqual(end);
    connect('b');
    await bench.kernel.deleteFlow(first);
    expect(await drainNow()).toMatchObject({ flows: 1, until: until.until });
    await bench.kernel.deleteFlow(second);
    expect(await drainNow()).toBeNull();
  });

  it('is what is left on the secondary after a rollback, but for its testers’', async () => {
    const { id } = await bench.engine.switchOver(order, ACTOR);
    for (const from of ['100.64.0.9', TESTER, TESTER]) connect('b', from);
    expect(await drainNow()).toBeNull();
    await bench.engine.rollback(id, ACTOR);
    expect(await drainNow()).toMatchObject({ flows: 1 });
    await bench.pass(6 * MINUTE);
    expect(await drainNow()).toBeNull();
  });

  it('goes on over a confirm and a restart', async () => {
    connect('a');
    const { id } = await bench.engine.switchOver(order, ACTOR);
    const before = await drainNow();
    await bench.engine.confirm(id, ACTOR);
    expect(await drainNow()).toEqual(before);
    await bench.restart();
    expect(await drainNow()).toEqual(before);
  });

  it('has no end where nobody gave it one', async () => {
    connect('a');
    await bench.engine.switchOver({ ...order, drainFor: null }, ACTOR);
    expect(await drainNow()).toEqual({ flows: 1, until: null });
  });
});

it('testers alone drain nothing', async () => {
  connect('b', TESTER);
  expect(await drainNow()).toBeNull();
});

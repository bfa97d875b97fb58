import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DEFAULT_MARK_MASK, encodeMark } from '../../src/model/mark.ts';
import type { Protocol } from '../../src/model/service.ts';
import { parseTraffic } from '../../src/kernel/links/traffic.ts';
import { Reconciler } from '../../src/reconcile/reconciler.ts';
import { ACTOR, Bench, CUSTOMER, definition, network } from './support/engine-bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

function flow(protocol: Protocol, id: number): void {
  bench.kernel.addFlow({
    family: 4,
    protocol,
    from: { family: 4, text: CUSTOMER },
    to: { family: 4, text: '192.0.2.25' },
    fromPort: 40_000 + id,
    toPort: 25,
    answeredBy: { family: 4, text: '10.25.0.2' },
    answeredPort: 25,
    mark: encodeMark({ id: 1, slot: 'a', protocol }, DEFAULT_MARK_MASK),
    id,
    closing: false,
  });
}

test('a preview tells who goes where, what becomes of each flow, and changes nothing', async () => {
  flow('tcp', 1);
  flow('tcp', 2);
  flow('udp', 3);
  const [before, kernel] = [await bench.state(), bench.kernel.dump()];
  const seen = await bench.engine.preview({ services: ['mail'], to: 'secondary', confirmWithin: 60_000 });
  expect(seen).toMatchObject({
    connections: 'drain',
    confirmWithin: 60_000,
    hold: null,
    services: [{ service: 'mail', from: 'mail-a', target: 'mail-b', tcp: 2, udp: 1 }],
    refusals: [],
  });
  expect(await bench.state()).toEqual(before);
  expect(bench.kernel.dump()).toBe(kernel);
});

test('what the switch then does is what its preview said', async () => {
  flow('tcp', 1);
  flow('udp', 2);
  const order = { services: ['mail', 'ldap'], to: 'secondary', connections: 'cut' } as const;
  const { services, connections, drainFor } = await bench.engine.preview(order);
  const record = await bench.engine.switchOver(order, ACTOR);
  expect(record).toMatchObject({
    connections,
    drainFor,
    cut: services[0]?.tcp,
    udpFlushed: services[0]?.udp,
  });
});

test('all that speaks against a switch is told at once, and what could be forced is told from what could not', async () => {
  await bench.engine.switchOver({ services: ['ldap'], to: 'secondary' }, ACTOR);
  bench.sick.add('10.25.0.3');
  for (let n = 0; n < 4; n++) await bench.pass(6000);
  const order = { services: ['mail', 'ldap'], to: 'secondary', hold: 1000, connections: 'drain' } as const;
  const { refusals } = await bench.engine.preview(order);
  expect(refusals.map(({ service, forceable }) => [service, forceable])).toEqual([
    ['mail', true],
    ['ldap', false],
    [null, false],
  ]);
});

test("a service's rules are its own, and not those of one whose name begins alike", async () => {
  const { rules, sets } = await bench.engine.rules('mail');
  const text = rules.map(({ rule }) => rule).join('\n');
  expect(text).toContain('-A DIR-mail -g DIR-mail.a');
  expect(text).not.toMatch(/DIR-ldap/);
  expect(rules.every(({ rule }) => rule.startsWith('-A DIR-'))).toBe(true);
  await bench.engine.switchOver({ services: ['mail'], to: 'secondary' }, ACTOR);
  await bench.pass(2000);
  const after = await bench.engine.rules('mail');
  expect(after.sets.find(({ name }) => name === 'dir-trial')?.elements.length).toBeGreaterThan(0);
  expect(sets.find(({ name }) => name === 'dir-trial')).toBeUndefined();
});

test('/proc/net/dev is read by its columns, also where a number follows the name at once', () => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    '    lo:       1       2    0    0    0     0          0         0        3       4    0    0    0     0       0          0',
    'vif1.0:123456789 77 0 0 0 0 0 0 987654321 88 0 0 0 0 0 0',
  ].join('\n');
  expect([...parseTraffic(text)]).toEqual([
    ['lo', { received: { bytes: 1, packets: 2 }, sent: { bytes: 3, packets: 4 } }],
    ['vif1.0', { received: { bytes: 123456789, packets: 77 }, sent: { bytes: 987654321, packets: 88 } }],
  ]);
});

describe('after a switch', () => {
  const ORDER = { services: ['mail'], to: 'secondary', confirmWithin: 60_000 } as const;

  /** How often all of the kernel is looked at in the next second. */
  async function wholeLooks(): Promise<number> {
    const observed = vi.spyOn(bench.kernel, 'observe');
    await bench.pass(1000);
    const { length } = observed.mock.calls;
    observed.mockRestore();
    return length;
  }

  test('the choice alone is looked at: what else there is costs the next one nothing', async () => {
    await bench.pass(1000);
    const { id } = await bench.engine.switchOver(ORDER, ACTOR);
    expect(await wholeLooks()).toBe(0);
    await bench.engine.rollback(id, ACTOR);
    expect(await wholeLooks()).toBe(0);
    await bench.expectKernelIsPlan();
    expect(await bench.engine.plan()).toMatchObject({ operations: [] });
    // All of it is still looked at from time to time.
    await bench.pass(20_000);
    expect(await wholeLooks()).toBe(0);
    const observed = vi.spyOn(bench.kernel, 'observe');
    await bench.pass(20_000);
    expect(observed).toHaveBeenCalled();
    observed.mockRestore();
  });

  test.each([
    ['the choice', () => bench.kernel.flushSet('dir-trial-y')],
    ['the other bank', () => bench.kernel.flushSet('dir-dark-y')],
    ['the list', () => bench.kernel.flushSet('dir-trial')],
    ['a set', () => bench.kernel.flushSet('dir-vips')],
    ['rules', () => bench.kernel.flushTable(4, 'filter')],
  ])('what somebody else does to %s at that moment is put back all the same', async (_, act) => {
    await bench.pass(1000);
    const mark = bench.store.journal({ limit: 1 })[0]?.id ?? 0;
    await bench.engine.switchOver(ORDER, ACTOR);
    act();
    await bench.pass(1000);
    await bench.expectKernelIsPlan();
    expect(bench.kindsAfter(mark)).toEqual(['switch', 'repair']);
  });

  test('who was enrolled, and put out by somebody else at once, is back within a second', async () => {
    await bench.pass(1000);
    const source = network('203.0.113.0/24');
    await bench.engine.enrol('mail', source, { expiresIn: null, note: null }, ACTOR);
    const set = {
      name: 'dir-mail-testers',
      type: 'hash:net',
      family: 4,
      timeouts: true,
      counters: false,
    } as const;
    await bench.kernel.apply({
      kind: 'set-delete',
      set,
      elements: [{ key: '203.0.113.0/24', expiresAt: null }],
      why: 'somebody',
    });
    await bench.pass(1000);
    expect(bench.kernel.dump()).toContain('203.0.113.0/24');
    await bench.expectKernelIsPlan();
  });

  test('a later look at everything is believed at the next start again', async () => {
    await bench.pass(1000);
    const { id } = await bench.engine.switchOver(ORDER, ACTOR);
    await bench.engine.rollback(id, ACTOR);
    // The choice is looked at, and later all there is.
    await bench.pass(1000);
    await bench.pass(150_000);
    bench.kill();
    const observed = vi.spyOn(bench.kernel, 'observe');
    await bench.start();
    expect(observed).not.toHaveBeenCalled();
    observed.mockRestore();
  });

  test('what is written down of the kernel is not believed at a start until all of it was looked at', async () => {
    await bench.pass(1000);
    const { id } = await bench.engine.switchOver(ORDER, ACTOR);
    await bench.engine.rollback(id, ACTOR);
    await bench.pass(11_000);
    bench.kill();
    bench.kernel.flushSet('dir-dark-x');
    await bench.start();
    await bench.expectKernelIsPlan();
  });
});

describe('where a look at everything takes long', () => {
  const LOOK_MS = 800;
  let looks = 0;
  const enrol = (host: number): Promise<unknown> =>
    bench.engine.enrol('mail', network(`203.0.113.${host}`), { expiresIn: null, note: null }, ACTOR);

  beforeEach(async () => {
    const { kernel, clock } = bench;
    const observe = kernel.observe.bind(kernel);
    const spy = vi.spyOn(kernel, 'observe').mockImplementation(async (scope) => {
      looks++;
      await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve));
      return observe(scope);
    });
    // Until a look has ended, and another is not due.
    await clock.turn(12_000);
    await clock.turn(2 * LOOK_MS);
    looks = 0;
    return () => spy.mockRestore();
  });

  test('one change after another is made first, and then looked at', async () => {
    for (let n = 1; n <= 6; n++) {
      await enrol(n);
      await bench.pass(500);
    }
    expect(looks).toBe(0);
    await bench.clock.turn(3 * LOOK_MS);
    expect(looks).toBe(1);
    vi.restoreAllMocks();
    await bench.expectKernelIsPlan();
  });

  test('a change during a look is not taken for what somebody else has done', async () => {
    const applied = vi.spyOn(Reconciler.prototype, 'applyAnew');
    // Until a look is under way.
    for (let n = 0; looks === 0 && n < 2000; n++) await bench.pass(100);
    expect(looks).toBe(1);
    await enrol(1);
    await bench.clock.turn(3 * LOOK_MS);
    expect(applied).not.toHaveBeenCalled();
    expect(bench.kindsAfter(0)).not.toContain('repair');
    vi.restoreAllMocks();
    await bench.expectKernelIsPlan();
  });

  test('that is put off for a while alone', async () => {
    for (let n = 1; n <= 20; n++) {
      await enrol(n);
      await bench.pass(500);
    }
    expect(looks).toBeGreaterThan(0);
  });

  test('rules that somebody else takes away meanwhile are put back at once', async () => {
    await enrol(1);
    await bench.pass(100);
    bench.kernel.flushTable(4, 'nat');
    await bench.pass(300);
    expect(looks).toBeGreaterThan(0);
    await bench.clock.turn(6 * LOOK_MS);
    vi.restoreAllMocks();
    await bench.expectKernelIsPlan();
  });
});

describe('rules of a hold', () => {
  const HOLD = 'chain ip raw DIR-HOLD\n  -m set --match-set dir-hold dst,dst -j DROP';

  test('are there only while a service is held, and nobody waits for a look at everything', async () => {
    await bench.pass(1000);
    expect(bench.kernel.dump()).not.toContain('DIR-HOLD');
    const observed = vi.spyOn(bench.kernel, 'observe');
    await bench.engine.hold('mail', 60_000, ACTOR);
    const held = bench.kernel.dump();
    expect(held).toContain(HOLD);
    for (const chain of ['PREROUTING', 'OUTPUT'])
      expect(held).toContain(`chain ip raw ${chain}\n  -j DIR-HOLD`);
    expect(observed).not.toHaveBeenCalled();
    await bench.pass(1000);
    observed.mockClear();
    await bench.engine.release('mail', ACTOR);
    expect(observed).not.toHaveBeenCalled();
    observed.mockRestore();
    expect(bench.kernel.dump()).not.toContain('DIR-HOLD');
    await bench.expectKernelIsPlan();
  });

  test('take their time before the hold begins, which is whole when everybody is moved', async () => {
    const apply = bench.kernel.apply.bind(bench.kernel);
    const slow = vi.spyOn(bench.kernel, 'apply').mockImplementation((operation) => {
      if (operation.kind === 'rules') bench.clock.advance(5000);
      return apply(operation);
    });
    const prepare = bench.kernel.prepareChoice.bind(bench.kernel);
    let atFlip = '';
    const prepared = vi.spyOn(bench.kernel, 'prepareChoice').mockImplementationOnce((choice) => {
      atFlip = bench.kernel.dump((set) => set === 'dir-hold');
      return prepare(choice);
    });
    await bench.engine.switchOver({ services: ['mail'], to: 'secondary', hold: 1000 }, ACTOR);
    expect(slow.mock.calls.map(([{ kind }]) => kind)).toContain('rules');
    for (const spy of [slow, prepared]) spy.mockRestore();
    expect(atFlip).toMatch(/192\.0\.2\.25,tcp:25 until/);
    await bench.pass(2000);
    await bench.expectKernelIsPlan();
  });

  test('that the kernel refuses leave nothing of their switch: nobody was moved, and that is told', async () => {
    const mark = bench.lastJournal();
    bench.fail((_, what) => (what === 'rules' ? 'refuse' : undefined));
    const order = { services: ['mail'], to: 'secondary', hold: 1000 } as const;
    await expect(bench.engine.switchOver(order, ACTOR)).rejects.toThrow('the kernel refused the hold');
    bench.fail(() => undefined);
    expect(bench.store.intents()).toEqual([]);
    expect(bench.kindsAfter(mark)).toEqual(['fail']);
    expect(bench.store.switches(1)[0]?.error).toContain('the kernel refused the hold');
    expect(bench.kernel.dump((set) => set.startsWith('dir-hold'))).not.toContain('tcp:25');
    expect(await bench.reached('192.0.2.25')).toBe('10.25.0.2');
    await bench.engine.switchOver(order, ACTOR);
    await bench.pass(2000);
    await bench.expectKernelIsPlan();
  });

  test('are there before a switch with a hold moves anybody, and not after it', async () => {
    const prepare = bench.kernel.prepareChoice.bind(bench.kernel);
    let atFlip = '';
    const prepared = vi.spyOn(bench.kernel, 'prepareChoice').mockImplementationOnce((choice) => {
      atFlip = bench.kernel.dump();
      return prepare(choice);
    });
    await bench.engine.switchOver({ services: ['mail'], to: 'secondary', hold: 1000 }, ACTOR);
    prepared.mockRestore();
    expect(atFlip).toContain(HOLD);
    expect(bench.kernel.dump()).not.toContain('DIR-HOLD');
    await bench.pass(2000);
    await bench.expectKernelIsPlan();
  });
});

describe('a start after an orderly end, or a death', () => {
  /** Looks at everything before it was ready, and after. */
  async function looks(): Promise<{ before: number; after: number }> {
    const observed = vi.spyOn(bench.kernel, 'observe');
    await bench.start();
    const before = observed.mock.calls.length;
    await bench.pass(1000);
    const after = observed.mock.calls.length - before;
    observed.mockRestore();
    return { before, after };
  }

  test('believes what was written down of the kernel where nothing has changed since, and looks a moment later', async () => {
    await bench.pass(1000);
    const writes = bench.kernel.writes;
    bench.kill();
    expect(await looks()).toEqual({ before: 0, after: 1 });
    expect(bench.kernel.writes).toBe(writes);
    await bench.expectKernelIsPlan();
  });

  test('looks before it is ready where somebody has changed the kernel meanwhile', async () => {
    await bench.pass(1000);
    bench.kill();
    bench.kernel.flushTable(4, 'filter');
    expect((await looks()).before).toBeGreaterThan(0);
    await bench.expectKernelIsPlan();
  });

  test('looks before it is ready where the file says something else', async () => {
    await bench.pass(1000);
    bench.kill();
    bench.configure({
      mail: definition('mail', 25, { admins: ['10.9.0.0/24'] }),
      ldap: definition('ldap', 38),
    });
    expect((await looks()).before).toBeGreaterThan(0);
    await bench.expectKernelIsPlan();
  });

  test('looks before it is ready where the director died in the middle of something, or a trial is under way', async () => {
    await bench.engine.switchOver({ services: ['mail'], to: 'secondary', confirmWithin: 60_000 }, ACTOR);
    await bench.pass(1000);
    bench.kill();
    expect((await looks()).before).toBeGreaterThan(0);
    await bench.expectKernelIsPlan();
  });

  test('is not led astray by what was changed during a look', async () => {
    const look = bench.kernel.print.bind(bench.kernel);
    const { engine } = bench;
    const during = vi.spyOn(bench.kernel, 'print').mockImplementationOnce(async () => {
      const print = await look();
      await engine.enrol('mail', network('198.51.100.99/32'), { expiresIn: null, note: null }, ACTOR);
      return print;
    });
    await bench.pass(20_000);
    expect(during).toHaveBeenCalled();
    during.mockRestore();
    bench.kill();
    await bench.start();
    await bench.expectKernelIsPlan();
  });
});

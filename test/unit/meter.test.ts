import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KernelError } from '../../src/lib/errors.ts';
import { decodeCounters } from '../../src/kernel/links/counters.ts';
import type { LinkCounters } from '../../src/kernel/links/counters.ts';
import { chargeFor, shareOut, timedOf } from '../../src/meter/charge.ts';
import { GaugeChoice } from '../../src/meter/choose.ts';
import type { Candidate } from '../../src/meter/choose.ts';
import { NOTHING, modelGauge } from '../../src/meter/gauge.ts';
import type { Pair } from '../../src/meter/gauge.ts';
import { networkSoftirqs, onlineCpus, softirqSeconds, softnet } from '../../src/meter/host.ts';
import { Ledger } from '../../src/meter/ledger.ts';
import { Means } from '../../src/meter/means.ts';
import { TYPICAL_BRIDGE, modelNanos, nanosFor } from '../../src/meter/model.ts';
import { Netback } from '../../src/meter/netback.ts';
import { parsePairs } from '../../src/meter/pairs.ts';
import { unmeasuredOf } from '../../src/meter/unmeasured.ts';
import { SoftirqAccount } from '../../src/meter/softirq.ts';
import { TrafficReader } from '../../src/meter/traffic.ts';
import { HandClock } from '../contract/hand-clock.ts';

const link = (index: number, received: number, sent: number): LinkCounters => ({
  index,
  name: `vif${index}.0`,
  received: { packets: received, bytes: received * 100 },
  sent: { packets: sent, bytes: sent * 100 },
});
const vif = (domu: string, role: 'primary' | 'secondary' = 'primary', ifname = 'vif1.0') => ({
  ifname,
  service: 'mail',
  role,
  domu,
});

describe('what links carried', () => {
  test('is the difference of two looks, as the DomU behind it sees it', () => {
    const reader = new TrafficReader();
    expect(reader.next([link(1, 10, 20)])).toMatchObject([{ in: { packets: 0 }, out: { packets: 0 } }]);
    expect(reader.next([link(1, 13, 25)])).toMatchObject([
      { in: { packets: 5, bytes: 500 }, out: { packets: 3, bytes: 300 } },
    ]);
  });

  test('is all of it for a link that is new, or counts anew', () => {
    const reader = new TrafficReader();
    reader.next([link(1, 10, 20)]);
    expect(reader.next([link(1, 2, 3), link(2, 7, 8)])).toMatchObject([
      { out: { packets: 2 }, in: { packets: 3 } },
      { out: { packets: 7 }, in: { packets: 8 } },
    ]);
  });

  test('an answer of the kernel that has no counters is refused', () => {
    expect(() => decodeCounters(Buffer.alloc(16))).toThrow(KernelError);
  });
});

describe('a charge', () => {
  const UPLINK = 2;
  const pair = (into: number, out: number, packets: number, nanos: number): Pair => ({
    in: into,
    out,
    packets,
    nanos,
    clipped: 0,
  });

  test('is for packets between the uplink and the vif; what stays on the bridge is kept apart', () => {
    const pairs = [pair(UPLINK, 3, 10, 20_000), pair(3, UPLINK, 5, 15_000), pair(4, 3, 7, 7000)];
    expect(timedOf(pairs, UPLINK, 3, 'in')).toEqual({ packets: 10, nanos: 20_000, bridged: 7 });
    expect(timedOf(pairs, UPLINK, 3, 'out')).toEqual({ packets: 5, nanos: 15_000, bridged: 0 });
    expect(timedOf(pairs, UPLINK, 4, 'out')).toEqual({ packets: 0, nanos: 0, bridged: 7 });
  });

  test('is what was timed, and its overhead what a bridge would not have taken', () => {
    const charge = chargeFor(
      { packets: 100, bytes: 100 * 100 },
      { nanos: 2540, routedShare: 0.5 },
      10,
      TYPICAL_BRIDGE,
    );
    expect(charge).toMatchObject({ nanos: 50 * 2540, overheadNanos: 50 * 2000, samples: 10 });
  });

  test('is the model where nothing was timed, and never an overhead below zero', () => {
    const small = { packets: 1, bytes: 60 };
    expect(chargeFor(small, null, 0, TYPICAL_BRIDGE).nanos).toBe(modelNanos(TYPICAL_BRIDGE, 60));
    expect(chargeFor(small, null, 0, TYPICAL_BRIDGE).nanosPerPacket).toBeNull();
    expect(chargeFor(small, { nanos: 100, routedShare: 1 }, 1, TYPICAL_BRIDGE).overheadNanos).toBe(0);
  });

  test('a total is shared out by what each would have been charged, and nothing of it is lost', () => {
    const of = (packets: number) => chargeFor({ packets, bytes: packets * 100 }, null, 0, TYPICAL_BRIDGE);
    const shared = shareOut([of(30), of(10), of(0)], { cpuSeconds: 4, overheadSeconds: 2 });
    expect(shared.map(({ nanos }) => nanos)).toEqual([3e9, 1e9, 0]);
    expect(shared.map(({ overheadNanos }) => overheadNanos)).toEqual([1.5e9, 0.5e9, 0]);
  });

  test('a bridge is cheaper for small packets than in bulk, and linear in between', () => {
    const rate = { smallNanos: 500, bulkNanos: 700 };
    expect([10, 100, 26_550, 53_000, 65_000].map((bytes) => nanosFor(rate, bytes))).toEqual([
      500, 500, 600, 700, 700,
    ]);
  });
});

describe('means', () => {
  test('few samples move what is known only as far as they weigh', () => {
    const means = new Means();
    means.learn('mail', 1, 'in', { packets: 1000, nanos: 2_000_000, bridged: 0 });
    means.learn('mail', 1, 'in', { packets: 5, nanos: 5 * 12_000, bridged: 0 });
    expect(means.of('mail', 1, 'in')?.nanos).toBe(3000);
    means.learn('mail', 1, 'in', { packets: 50, nanos: 50 * 1500, bridged: 0 });
    expect(means.of('mail', 1, 'in')?.nanos).toBe(1500);
  });

  test("a vif of which nothing is known yet takes its service's, and another service does not", () => {
    const means = new Means();
    means.learn('mail', 1, 'in', { packets: 100, nanos: 200_000, bridged: 100 });
    expect(means.of('mail', 2, 'in')).toEqual({ nanos: 2000, routedShare: 0.5 });
    expect(means.of('ldap', 3, 'in')).toBeNull();
    expect(means.of('mail', 1, 'out')).toBeNull();
  });

  test('a vif that only spoke to its neighbour is charged nothing', () => {
    const means = new Means();
    means.learn('mail', 1, 'in', { packets: 0, nanos: 0, bridged: 9 });
    const mean = means.of('mail', 1, 'in');
    expect(mean).toEqual({ nanos: null, routedShare: 0 });
    expect(chargeFor({ packets: 9, bytes: 900 }, mean, 0, TYPICAL_BRIDGE).nanos).toBe(0);
  });

  test('an index that is given again does not bring the last one back', () => {
    const means = new Means();
    means.learn('mail', 1, 'in', { packets: 100, nanos: 200_000, bridged: 0 });
    means.keep(new Set([2]));
    means.learn('ldap', 2, 'in', { packets: 100, nanos: 100_000, bridged: 0 });
    expect(means.of('ldap', 1, 'in')?.nanos).toBe(1000);
  });
});

describe('the ledger', () => {
  const charge = { packets: 10, bytes: 1000, nanos: 2e9, overheadNanos: 1e9, samples: 3, nanosPerPacket: 5 };

  test('adds up, and tells rates of the last interval alone', () => {
    const ledger = new Ledger();
    ledger.keep([vif('mail-a')]);
    ledger.charge(vif('mail-a'), 'in', charge);
    ledger.settle(2);
    expect(ledger.flows()[0]).toMatchObject({
      packets: 10,
      cpuSeconds: 2,
      cpuShare: 1,
      overheadShare: 0.5,
      packetsPerSecond: 5,
    });
    ledger.charge(vif('mail-a'), 'in', {
      ...charge,
      packets: 0,
      nanos: 0,
      overheadNanos: 0,
      nanosPerPacket: null,
    });
    ledger.settle(1);
    expect(ledger.flows()[0]).toMatchObject({ packets: 10, cpuSeconds: 2, cpuShare: 0, nanosPerPacket: 5 });
  });

  test('keeps a DomU its account when its role changes, or its vif', () => {
    const ledger = new Ledger();
    ledger.keep([vif('mail-a')]);
    ledger.charge(vif('mail-a'), 'out', charge);
    ledger.keep([vif('mail-a', 'secondary', 'vif9.0')]);
    expect(ledger.flows()[1]).toMatchObject({ role: 'secondary', packets: 10 });
  });
});

describe('the way of measuring', () => {
  const ports = { uplink: 1, vifs: [2], busy: 1 };
  let clock: HandClock;
  let log: string[];
  beforeEach(() => {
    clock = new HandClock();
    log = [];
  });
  const choiceOf = (...candidates: Candidate[]) =>
    new GaugeChoice(candidates, '', { clock, log: (_level, text) => void log.push(text) });
  const model: Candidate = { mode: 'model', open: () => Promise.resolve(modelGauge) };

  test('is the first that works, and says why no truer one', async () => {
    const choice = choiceOf(
      { mode: 'windows', open: () => Promise.reject(new Error('not permitted')) },
      { mode: 'sampler', open: () => Promise.reject(new Error('hidden')) },
      model,
    );
    await choice.measure(ports);
    expect(choice.state).toEqual({ mode: 'model', why: 'windows: not permitted; sampler: hidden' });
    expect(choice.failures).toBe(0);
  });

  test('falls back within the same interval when one fails, and comes back to it, later each time', async () => {
    let works = true;
    let opened = 0;
    const shaky: Candidate = {
      mode: 'windows',
      open: () => {
        opened++;
        return Promise.resolve({
          mode: 'windows',
          measure: () => (works ? Promise.resolve(NOTHING) : Promise.reject(new Error('killed'))),
          close: () => Promise.resolve(),
        });
      },
    };
    const choice = choiceOf(shaky, model);
    await choice.measure(ports);
    works = false;
    await choice.measure(ports);
    expect(choice.state).toEqual({ mode: 'model', why: 'windows: killed' });
    expect(choice.failures).toBe(1);
    await choice.measure(ports);
    expect(opened).toBe(1);
    clock.advance(1000);
    await choice.measure(ports);
    expect(opened).toBe(2);
    clock.advance(1000);
    await choice.measure(ports);
    expect(opened).toBe(2);
    works = true;
    clock.advance(1000);
    await choice.measure(ports);
    expect(choice.state).toEqual({ mode: 'windows', why: '' });
    expect(log.at(-1)).toBe('CPU costs are measured by: windows');
  });
});

describe("the helper's answer", () => {
  test('is read whole', () => {
    const pair = 'pair 2 3 704 1499570 1 74624';
    expect(parsePairs([pair, 'softirq 2000000 350', 'done 1430 0 1160843'])).toEqual({
      pairs: [{ in: 2, out: 3, packets: 704, nanos: 1_499_570, clipped: 1 }],
      softirq: { nanos: 2_000_000, runs: 350 },
      costSeconds: 0.001160843,
      samples: 704,
    });
  });

  test.each([['pear 2 3 4 5 6 7'], ['pair 2 3 x 5 6 7'], ['pair 2 3']])('"%s" is refused', (line) => {
    expect(() => parsePairs([line, 'softirq 0 0', 'done 0 0 0'])).toThrow(/answered/);
  });

  test.each([['softirq 1 x'], ['softirq'], ['pair 2 3 4 5 6 7'], ['']])('"%s" tells no softirqs', (line) => {
    expect(() => parsePairs([line, 'done 0 0 0'])).toThrow(/answered/);
  });

  test('has the reason why softirqs cannot be timed', () => {
    const { softirq } = parsePairs(['nosoftirq Operation not permitted', 'done 0 0 0']);
    expect(softirq).toEqual({ refused: 'the kernel lets nobody time softirqs: Operation not permitted' });
  });
});

test('a DomU without vifs, and one whose vifs are gone, are told as not measured', () => {
  const of = (domu: string, vifs: string[]) => ({ service: 'mail', role: 'primary', domu, vifs }) as const;
  const domus = [of('a', []), of('b', ['vif1.0', 'vif1.1']), of('c', ['vif2.0'])];
  expect(unmeasuredOf(domus, new Set(['eth0', 'vif1.1']))).toEqual([
    { service: 'mail', role: 'primary', domu: 'a', why: 'no vifs are configured for it' },
    { service: 'mail', role: 'primary', domu: 'c', why: 'its vifs are not on this host now' },
  ]);
});

describe('network softirqs', () => {
  let counted: number | null;
  let account: SoftirqAccount;
  beforeEach(() => {
    counted = 1000;
    account = new SoftirqAccount(() => counted);
  });

  test('that were not timed count as long as those that were, from the beginning on', () => {
    expect(account.state.exactSeconds).toBeNull();
    expect(account.state.why).toContain('none was timed');
    counted = 3000;
    account.note({ nanos: 100_000, runs: 10 });
    expect(account.state).toEqual({ exactSeconds: 2000 * 10e-6, why: '' });
    counted = 4000;
    account.note(null);
    expect(account.state.exactSeconds).toBeCloseTo(3000 * 10e-6, 12);
  });

  test('follow the load: the last window weighs more than all before it', () => {
    account.note({ nanos: 100_000, runs: 10 });
    counted = 2000;
    account.note({ nanos: 400_000, runs: 10 });
    expect(account.state.exactSeconds).toBeCloseTo(1000 * 30e-6, 12);
  });

  test('that nobody may time, or count, have no figure, and the reason is told', () => {
    account.note({ refused: 'no' });
    expect(account.state).toEqual({ exactSeconds: null, why: 'no' });
    counted = null;
    account.note({ nanos: 1000, runs: 1 });
    expect(account.state.exactSeconds).toBeNull();
    expect(account.state.why).toContain('/proc/softirqs');
  });
});

describe('/proc', () => {
  let proc: string;
  beforeEach(() => {
    proc = mkdtempSync(join(tmpdir(), 'director-proc-'));
  });
  afterEach(() => rmSync(proc, { recursive: true }));
  const write = (file: string, text: string): void => {
    mkdirSync(join(proc, file, '..'), { recursive: true });
    writeFileSync(join(proc, file), text);
  };
  const KERNEL = 0x0020_8040;
  const thread = (pid: number, comm: string, nanos: number, flags = KERNEL): void => {
    write(`${pid}/stat`, `${pid} (${comm}) S 2 0 0 0 -1 ${flags} 0 0 0`);
    write(`${pid}/schedstat`, `${nanos} 0 0\n`);
  };

  test('softirqs, what the backlog dropped, and CPUs are read', () => {
    write('stat', 'cpu  1 2 3 4 5 6 700 8 0 0\ncpu0 1 2\ncpu1 1 2\nintr 5\n');
    write('net/softnet_stat', '0000000a 00000002 00000001 0\n0000000b 00000010 00000000 0\n');
    expect(softirqSeconds(proc)).toBe(7);
    expect(networkSoftirqs(proc)).toBeNull();
    write('softirqs', '        CPU0       CPU1       \n  NET_TX:  9  9\n  NET_RX:         12         30\n');
    expect(networkSoftirqs(proc)).toBe(42);
    expect(softnet(proc)).toEqual({ dropped: 18, squeezed: 1 });
    expect(onlineCpus(proc)).toBe(2);
  });

  test("netback's threads count from the first look, new ones from their beginning, ended ones stay", () => {
    const netback = new Netback(proc);
    const one = [vif('mail-a')];
    const two = [vif('mail-a'), vif('mail-b', 'secondary', 'vif2.0')];
    thread(10, 'vif1.0-q0-guest-rx', 5e9);
    expect(netback.next(one)).toEqual([{ domu: 'mail-a', service: 'mail', seconds: 0 }]);
    thread(10, 'vif1.0-q0-guest-rx', 7e9);
    thread(11, 'vif2.0-q0-dealloc', 1e9);
    expect(netback.next(two)).toEqual([
      { domu: 'mail-a', service: 'mail', seconds: 2 },
      { domu: 'mail-b', service: 'mail', seconds: 1 },
    ]);
    rmSync(join(proc, '10'), { recursive: true });
    expect(netback.next(two)[0]).toEqual({ domu: 'mail-a', service: 'mail', seconds: 2 });
  });

  test("netback's threads are found by whatever name the vif has, cut off or not", () => {
    const netback = new Netback(proc);
    const named = [vif('mail-a', 'primary', 'vif-mail-a'), vif('mail-b', 'secondary', 'vif-backup-b')];
    netback.next(named);
    thread(10, 'vif-mail-a-q0-guest-rx', 5e9);
    thread(11, 'vif-mail-a-q1-d', 1e9);
    thread(12, 'vif-backup-b-q0', 2e9);
    const again = new Netback(proc);
    expect(again.next(named).map(({ domu }) => domu)).toEqual(['mail-a', 'mail-b']);
  });

  test("a process that only calls itself so is nobody's thread", () => {
    thread(10, 'vif1.0-q0-guest-rx', 5e9, 0x40_0000);
    thread(11, 'vif1.0', 5e9);
    expect(new Netback(proc).next([vif('mail-a')])).toEqual([]);
  });
});

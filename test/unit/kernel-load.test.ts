import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { coresLeft, loadBetween } from '../../src/capacity/host-load.ts';
import type { HostCounters } from '../../src/capacity/host-load.ts';
import { measureLoad, parseNetDev, parseStat } from '../../src/kernel/load.ts';
import { systemClock } from '../../src/lib/clock.ts';

const STAT = `cpu  100 10 30 1000 20 4 6 8 40 5
cpu0 50 5 15 500 10 2 3 4 20 2
cpu1 50 5 15 500 10 2 3 4 20 3
intr 12345 0 9
ctxt 678
`;
const DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
vif1.0: 18446744073       2    0    0    0     0          0         0     4000      40    0    0    0     0       0          0
eth0:0:9 8 0 0 0 0 0 0 7 6 0 0 0 0 0 0
`;

const counters = (at: number, ticks: number[], rxPackets = 0): HostCounters => ({
  at,
  cores: 4,
  ticks,
  links: new Map([['vif1.0', { rxPackets, rxBytes: rxPackets * 100, txPackets: 0, txBytes: 0 }]]),
});

it("reads the kernel's own words", () => {
  expect(parseStat(STAT)).toEqual({ cores: 2, ticks: [100, 10, 30, 1000, 20, 4, 6, 8, 40, 5] });
  expect([...parseNetDev(DEV)]).toEqual([
    ['lo', { rxBytes: 100, rxPackets: 1, txBytes: 100, txPackets: 1 }],
    ['vif1.0', { rxBytes: 18446744073, rxPackets: 2, txBytes: 4000, txPackets: 40 }],
    ['eth0:0', { rxBytes: 9, rxPackets: 8, txBytes: 7, txPackets: 6 }],
  ]);
});

it('shares the cores out by what was done, a guest once and not as user too', () => {
  const load = loadBetween(
    counters(0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    counters(2000, [100, 20, 50, 150, 40, 5, 15, 20, 60, 10], 500),
  );
  expect(load.cpu).toEqual({
    user: 0.4,
    nice: 0.1,
    guest: 0.7,
    system: 0.5,
    irq: 0.05,
    soft: 0.15,
    steal: 0.2,
    iowait: 0.4,
    idle: 1.5,
  });
  expect(Object.values<number>({ ...load.cpu }).reduce((a, b) => a + b)).toBeCloseTo(4);
  expect(load.links.get('vif1.0')).toMatchObject({ rxPackets: 250, rxBytes: 25_000 });
});

it('never tells less than nothing, though iowait goes back and interfaces are made anew', () => {
  const load = loadBetween(
    counters(0, [10, 0, 0, 100, 50, 0, 0, 0, 0, 0], 900),
    counters(1000, [10, 0, 0, 200, 40, 0, 0, 0, 0, 0], 7),
  );
  expect(load.cpu).toMatchObject({ iowait: 0, idle: 4 });
  expect(load.links.get('vif1.0')!.rxPackets).toBe(0);
});

it('has all cores idle where no tick was counted', () => {
  expect(loadBetween(counters(0, [1, 2, 3]), counters(1, [1, 2, 3])).cpu.idle).toBe(4);
});

it('leaves the reserve, which is of all cores, and a waiting core is free', () => {
  const cpu = { idle: 2, iowait: 0.5 };
  expect(coresLeft({ cores: 4, cpu }, 0.25)).toBe(1.5);
  expect(coresLeft({ cores: 4, cpu }, 0.9)).toBe(0);
});

it("measures this host: all of its cores' time, and the loopback of this namespace", async () => {
  const { cores, cpu, links, seconds } = await measureLoad(200, systemClock);
  expect(cores).toBeGreaterThanOrEqual(availableParallelism());
  expect(Object.values<number>({ ...cpu }).reduce((a, b) => a + b)).toBeCloseTo(cores);
  expect(seconds).toBeGreaterThanOrEqual(0.2);
  expect(links.has('lo')).toBe(true);
});

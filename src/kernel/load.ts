import { readFile } from 'node:fs/promises';
import type { HostCounters, HostLoad, LinkCounters } from '../capacity/host-load.ts';
import { loadBetween } from '../capacity/host-load.ts';
import type { Clock } from '../lib/clock.ts';

/** What this host does over the next `ms` milliseconds. Reads two files twice, and nothing in between. */
export async function measureLoad(ms: number, clock: Clock): Promise<HostLoad> {
  const before = await readCounters();
  await new Promise<void>((resolve) => void clock.after(ms, resolve));
  return loadBetween(before, await readCounters());
}

async function readCounters(): Promise<HostCounters> {
  const [stat, dev] = await Promise.all([
    readFile('/proc/stat', 'utf8'),
    readFile('/proc/self/net/dev', 'utf8'),
  ]);
  return { at: performance.now(), ...parseStat(stat), links: parseNetDev(dev) };
}

/** proc_stat(5): `cpu  1 2 3 ..` is of all, `cpu0 ..` of one that is online. */
export function parseStat(text: string): Pick<HostCounters, 'cores' | 'ticks'> {
  const all = /^cpu +(.*)$/m.exec(text)?.[1] ?? '';
  return {
    cores: text.match(/^cpu\d+ /gm)?.length ?? 1,
    ticks: all.split(' ').map(Number),
  };
}

/** proc_net(5): sixteen numbers an interface, bytes and packets received being the first two, those sent 9th and 10th. */
export function parseNetDev(text: string): Map<string, LinkCounters> {
  return new Map(
    [...text.matchAll(/^ *([^\s:]+(?::\d+)?): *(.*)$/gm)].map(([, name = '', rest = '']) => {
      const numbers = rest.trim().split(/ +/).map(Number);
      const [rxBytes = 0, rxPackets = 0] = numbers;
      const [txBytes = 0, txPackets = 0] = numbers.slice(8);
      return [name, { rxPackets, rxBytes, txPackets, txBytes }];
    }),
  );
}

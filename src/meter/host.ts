import { readFileSync } from 'node:fs';

/** `/proc` elsewhere only in tests of how its files are read. */
export const PROC = '/proc';

/** USER_HZ, the unit of /proc/stat, is 100 on every architecture that Node runs on (linux, asm-generic/param.h). */
const USER_HZ = 100;

/** Seconds of all CPUs in softirqs since boot (proc_stat(5): the seventh figure of the first line); 0 where unknown. */
export function softirqSeconds(proc = PROC): number {
  const [, , , , , , , softirq] = firstLine(read(`${proc}/stat`)).split(/\s+/);
  return Number(softirq ?? 0) / USER_HZ;
}

/**
 * Network softirqs (those that receive) of all CPUs since boot: a row of /proc/softirqs, which begins with its name and
 * has a figure for each CPU (linux, fs/proc/softirqs.c). Null where that is not to be had.
 */
export function networkSoftirqs(proc = PROC): number | null {
  const [, row] = /^\s*NET_RX:(.*)$/m.exec(read(`${proc}/softirqs`)) ?? [];
  if (row === undefined) return null;
  return row
    .trim()
    .split(/\s+/)
    .reduce((sum, each) => sum + Number(each), 0);
}

export interface Softnet {
  readonly dropped: number;
  readonly squeezed: number;
}

/**
 * A line a CPU of hexadecimal figures: packets, dropped since the backlog was full, and rounds that ended with work
 * left (linux, net/core/net-procfs.c).
 */
export function softnet(proc = PROC): Softnet {
  const sum = { dropped: 0, squeezed: 0 };
  for (const line of read(`${proc}/net/softnet_stat`).split('\n')) {
    const [, dropped, squeezed] = line.split(' ');
    if (dropped === undefined || squeezed === undefined) continue;
    sum.dropped += Number.parseInt(dropped, 16);
    sum.squeezed += Number.parseInt(squeezed, 16);
  }
  return sum;
}

/** How many CPUs are online; 1 where that is not known. */
export function onlineCpus(proc = PROC): number {
  return Math.max(read(`${proc}/stat`).match(/^cpu\d+ /gm)?.length ?? 0, 1);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

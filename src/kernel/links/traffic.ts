import { readFile } from 'node:fs/promises';
import { KernelError, messageOf } from '../../lib/errors.ts';
import type { LinkTraffic } from '../kernel.ts';

/** The network namespace's own counters (proc_pid_net(5), /proc/pid/net/dev): no other file shows precisely ours. */
const FILE = '/proc/self/net/dev';

/** Columns after `name:` (net/core/net-procfs.c, dev_seq_printf_stats): bytes and packets, received and sent. */
const COLUMNS = { received: { bytes: 0, packets: 1 }, sent: { bytes: 8, packets: 9 } } as const;

export async function linkTraffic(): Promise<Map<string, LinkTraffic>> {
  const text = await readFile(FILE, 'utf8').catch((error: unknown) => {
    throw new KernelError(`the counters of links could not be read: ${messageOf(error)}`, { cause: error });
  });
  return parseTraffic(text);
}

export function parseTraffic(text: string): Map<string, LinkTraffic> {
  const links = new Map<string, LinkTraffic>();
  for (const line of text.split('\n')) {
    const match = /^\s*(\S+):\s*([\d\s]+)$/.exec(line);
    if (match === null) continue;
    const values = (match[2] ?? '').trim().split(/\s+/).map(Number);
    const at = ({ bytes, packets }: { bytes: number; packets: number }) => ({
      bytes: values[bytes] ?? 0,
      packets: values[packets] ?? 0,
    });
    links.set(match[1] ?? '', { received: at(COLUMNS.received), sent: at(COLUMNS.sent) });
  }
  return links;
}

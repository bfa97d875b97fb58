import { readFile } from 'node:fs/promises';
import { KernelError, messageOf } from '../lib/errors.ts';
import { FAMILIES } from '../model/address.ts';
import type { Iptables } from './iptables/iptables.ts';
import type { TableReader } from './iptables/tables.ts';
import type { FlowTable } from './netlink/conntrack/thread.ts';
import type { IpsetClient } from './netlink/ipset/client.ts';
import { run } from '../lib/run.ts';

/** linux/capability.h. */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 } as const;
/** A mark that nobody has: the kernel looks for its flows, which proves that it can, and finds none. */
const NO_FLOW = { value: 0xffff_ffff, mask: 0xffff_ffff };

interface Parts {
  readonly iptables: Iptables;
  readonly tables: TableReader;
  readonly ipset: IpsetClient;
  readonly conntrack: FlowTable;
}

/** What this host lacks to be directed: a sentence each, with how to get it. Changes nothing. */
export async function missingParts({ iptables, tables, ipset, conntrack }: Parts): Promise<string[]> {
  const rights = await missingRights();
  if (rights.length > 0) return rights;
  const found = await Promise.all([
    ...FAMILIES.map((family) => missingIptables(iptables, tables, family)),
    tried(
      () => ipset.get('dir-trial', 0),
      'the kernel keeps no IP sets',
      'modprobe ip_set ip_set_hash_ip ip_set_hash_ipport ip_set_hash_net ip_set_hash_netiface ip_set_list_set xt_set',
    ),
    tried(
      () => firstOf(conntrack.flows(NO_FLOW)),
      'the kernel does not tell of its connections',
      'modprobe nf_conntrack nf_conntrack_netlink',
    ),
    tried(
      () => run('perl', ['-e', '1']),
      'perl, which sends the announcements of addresses, is not there',
      'apt-get install perl-base',
    ),
  ]);
  return found.filter((sentence) => sentence !== null);
}

/** A sentence for each right that the director needs and this process lacks. */
export async function missingRights(): Promise<string[]> {
  const status = await readFile('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return Object.entries(CAPABILITIES)
    .filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => `the director may not change the network: run it as root, or give it ${name}`);
}

/** Tables that can be read prove tool, kernel and rights; a restore of nothing proves the other tool, and changes nothing. */
async function missingIptables(
  iptables: Iptables,
  tables: TableReader,
  family: 4 | 6,
): Promise<string | null> {
  for (const tool of ['save', 'restore'] as const) {
    const name = iptables.binary(family, tool);
    const trial = tool === 'save' ? tables.check(family) : iptables.restore(family, '');
    const missing = await tried(() => trial, `${name} does not work`, 'apt-get install iptables');
    if (missing !== null) return missing;
  }
  return null;
}

async function tried(work: () => Promise<unknown>, lack: string, remedy: string): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    const hint = error instanceof KernelError ? error.hint : undefined;
    return `${lack} (${messageOf(error)}): ${hint ?? `\`${remedy}\``}`;
  }
}

async function firstOf(flows: AsyncIterable<unknown>): Promise<void> {
  await flows[Symbol.asyncIterator]().next();
}

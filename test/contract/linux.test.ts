import { execFile } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { formatNetwork } from '../../src/model/address.ts';
import type { Family } from '../../src/model/address.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { JUMPS } from '../../src/render/layout.ts';
import type { Host } from './host.ts';
import { kernelContract } from './kernel-contract.ts';
import { requirePrivateNetwork } from './private-network.ts';

type Variant = 'nft' | 'legacy';

const spawned = promisify(execFile);
const tool = async (command: string, ...argv: string[]): Promise<string> =>
  (await spawned(command, argv)).stdout;

const iptables = (variant: Variant, family: Family): string =>
  `${family === 4 ? 'iptables' : 'ip6tables'}-${variant}`;

const NO_RULES = ['raw', 'mangle', 'filter', 'nat'].map((table) => `*${table}\nCOMMIT\n`).join('');

async function emptyTables(variant: Variant, family: Family): Promise<void> {
  const restoring = spawned(`${iptables(variant, family)}-restore`, []);
  restoring.child.stdin?.end(NO_RULES);
  await restoring;
}

async function emptyHost(variants: readonly Variant[]): Promise<void> {
  requirePrivateNetwork();
  const families = [4, 6] as const;
  const tables = variants.flatMap((variant) => families.map((family) => emptyTables(variant, family)));
  await Promise.all([...tables, deleteLinks()]);
  await destroySets();
}

/** A list lets go of its sets a moment after it was flushed (list_set_del calls back when RCU allows). */
async function destroySets(attempts = 20): Promise<void> {
  await tool('ipset', 'flush');
  await tool('ipset', 'destroy').catch(async (error: unknown) => {
    if (attempts === 0) throw error;
    await setTimeout(50);
    await destroySets(attempts - 1);
  });
}

async function deleteLinks(): Promise<void> {
  const links = JSON.parse(await tool('ip', '-j', 'link')) as { ifname: string; link?: string }[];
  const gone = new Set<string>();
  for (const { ifname, link } of links) {
    if (ifname !== 'lo' && !gone.has(ifname)) await tool('ip', 'link', 'delete', ifname);
    // Half of a pair takes the other with it.
    if (link !== undefined) gone.add(link);
  }
}

function outsideOf(variant: Variant): Host['outside'] {
  const act = async (...argv: [string, ...string[]]): Promise<void> => {
    const [command, ...rest] = argv;
    await tool(command, ...rest);
  };
  const rulesTool = (family: Family, table: string, ...argv: string[]) =>
    tool(iptables(variant, family), '-w', '-t', table, ...argv);
  return {
    addBridge: (name) => act('ip', 'link', 'add', name, 'type', 'bridge'),
    removeLink: (name) => act('ip', 'link', 'delete', name),
    addAddress: (link, address) =>
      act(
        'ip',
        'address',
        'add',
        formatNetwork(address),
        'dev',
        link,
        ...(address.family === 6 ? ['nodad'] : []),
      ),
    addRule: async (family, table, chain, rule, at) => {
      await rulesTool(family, table, at === 'first' ? '-I' : '-A', chain, ...rule.split(' '));
    },
    rules: async (family, table, chain) =>
      (await rulesTool(family, table, '-S', chain))
        .split('\n')
        .filter((line) => line.startsWith('-A '))
        .map((line) => line.slice(`-A ${chain} `.length)),
    flushTable: async (family, table) => {
      await rulesTool(family, table, '-F');
    },
    addSet: (name) => act('ipset', 'create', name, 'hash:ip'),
    flushSet: (name) => act('ipset', 'flush', name),
    destroySet: (name) => act('ipset', 'destroy', name),
    swapSets: (a, b) => act('ipset', 'swap', a, b),
  };
}

const emptied = new Set<Variant>();

async function openLinux(variant: Variant): Promise<Host> {
  // Tests before this file may have left something, in the other tables too; a set that a rule uses cannot go.
  if (!emptied.has(variant)) await emptyHost(['nft', 'legacy']);
  emptied.add(variant);
  const failures: unknown[] = [];
  const kernel = LinuxKernel.open({
    variant,
    jumps: JUMPS,
    clock: systemClock,
    onError: (error) => failures.push(error),
  });
  return {
    kernel,
    outside: outsideOf(variant),
    now: () => Date.now(),
    advance: (ms) => setTimeout(ms),
    addLink: async (name) => {
      await tool('ip', 'link', 'add', name, 'type', 'veth');
      await tool('ip', 'link', 'set', name, 'up');
    },
    close: async () => {
      await kernel.close();
      await emptyHost([variant]);
      if (failures.length > 0)
        throw new AggregateError(failures, 'the kernel failed behind its callers’ backs');
    },
  };
}

requirePrivateNetwork();
kernelContract('the Linux kernel with iptables-nft', () => openLinux('nft'));
kernelContract('the Linux kernel with iptables-legacy', () => openLinux('legacy'));

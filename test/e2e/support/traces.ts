import { expect, vi } from 'vitest';
import type { World } from '../../../src/lab/world.ts';

/** What a host has, by the command that shows it; each as it was printed, but for what counts or names a time. */
export type Dumps = Readonly<Record<string, string>>;

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'iptables-save': ['iptables-save'],
  'ip6tables-save': ['ip6tables-save'],
  'iptables-legacy-save': ['iptables-legacy-save'],
  'ip6tables-legacy-save': ['ip6tables-legacy-save'],
  'nft list ruleset': ['nft', '--stateless', 'list', 'ruleset'],
  'ipset save': ['ipset', 'save'],
  'ip link': ['ip', '-o', 'link', 'show'],
  'ip address': ['ip', '-o', 'address', 'show'],
  'ip route': ['ip', '-4', 'route', 'show', 'table', 'all'],
  'ip -6 route': ['ip', '-6', 'route', 'show', 'table', 'all'],
  'ip rule': ['ip', 'rule', 'show'],
  sysctl: ['sysctl', '-a', '--pattern', '^net[.]'],
};

/** Numbers that the kernel counts up by itself. */
const COUNTING = /^net\.netfilter\.nf_conntrack_count .*\n/gm;

/** Comments bear the time; `[packets:bytes]`; time that is left in a set; numbers that the kernel counts up. */
function still(text: string): string {
  return text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\[\d+:\d+\]/g, '[0:0]')
    .replaceAll(/^(add .*) timeout [1-9]\d*/gm, '$1 timeout N')
    .replaceAll(/ packets \d+ bytes \d+/g, '')
    .replaceAll(COUNTING, '');
}

/** The same, when what was made just before has come up: links say so some time later. */
export async function settledDumpsOf(world: World): Promise<Dumps> {
  return vi.waitFor(
    async () => {
      const dumps = await dumpsOf(world);
      expect(dumps['ip link']?.split('\n').filter((line) => /: br-.* state (?!UP)/.test(line))).toEqual([]);
      expect(await dumpsOf(world)).toEqual(dumps);
      return dumps;
    },
    { timeout: 20_000, interval: 200 },
  );
}

export async function dumpsOf(world: World): Promise<Dumps> {
  const each = Object.entries(COMMANDS).map(async ([name, argv]) => {
    const { stdout, stderr, code } = await world.exec('dom0', argv);
    // sysctl(8) fails for what only some may read; what could be read is told.
    if (code !== 0 && name !== 'sysctl') throw new Error(`${name} failed: ${stderr}`);
    return [name, still(stdout)] as const;
  });
  return Object.fromEntries(await Promise.all(each));
}

/** Lines of a dump that are somebody else's; see foreignPart(). */
export interface Ours {
  /** Bridges that the director makes. */
  readonly bridges: readonly string[];
  /** Addresses that the director puts on the uplink. */
  readonly addresses: readonly string[];
}

/** What others have: whole dumps without the lines that are the director's. */
export function foreignPart(dumps: Dumps, { bridges, addresses }: Ours): Dumps {
  const words = [...bridges, ...addresses].map((word) => word.replaceAll('.', '\\.'));
  const own = new RegExp(`(^|[ .])(${words.join('|')})([ /:.]|$)`);
  const membership = new RegExp(` master (${bridges.join('|')}) `);
  const without = (text: string | undefined, isOwn: (line: string) => boolean): string =>
    (text ?? '')
      .replaceAll(new RegExp(membership, 'g'), ' ')
      .split('\n')
      .filter((line) => !isOwn(line))
      .join('\n');
  const rules = (line: string): boolean => line.includes('DIR-');
  // With forwarding on, the kernel makes a router's anycast addresses (RFC 4291 section 2.6.1).
  const links = (line: string): boolean => line.startsWith('anycast ') || own.test(line);
  const sets = (line: string): boolean => /^(create|add) dir-(?!backup)/.test(line);
  const settings = (line: string): boolean => DIRECTORS_SETTINGS.test(line) || own.test(line);
  return Object.fromEntries(
    Object.entries(dumps).map(([name, text]) => {
      if (name.endsWith('tables-save')) return [name, without(text, rules)];
      if (name === 'nft list ruleset') return [name, /^table inet [^]*?^}/m.exec(text)?.[0] ?? ''];
      if (name === 'ipset save') return [name, without(text, sets)];
      return [name, without(text, name === 'sysctl' ? settings : links)];
    }),
  );
}

/** Forwarding, what the kernel changes with it (linux, net/ipv4/devinet.c, inet_forward_change), and accounting. */
const DIRECTORS_SETTINGS =
  /^net\.(ipv4\.ip_forward|ipv4\.conf\.all\.accept_redirects|netfilter\.nf_conntrack_acct|ipv[46]\.conf\..*\.forwarding|ipv6\.conf\.eth0\.accept_ra) /;

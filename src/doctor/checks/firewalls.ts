import { check } from '../check.ts';
import { ok, warning, word } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';
import type { Base } from '../nft-chains.ts';

export interface FirewallsSeen {
  /** Names of iptables chains that are not ours. */
  readonly chains: readonly string[];
  readonly bases: readonly Base[];
  /** The services' bridges. */
  readonly bridges: readonly string[];
}

interface Firewall {
  readonly name: string;
  readonly chain: RegExp;
  /** Tables of nftables. */
  readonly table: RegExp;
  readonly why: string;
  /** For one bridge. */
  readonly command: (bridge: string) => string;
}

/** Programs that keep rules of their own in FORWARD, by the names of their chains and tables. */
const FIREWALLS: readonly Firewall[] = [
  {
    name: 'Docker',
    chain: /^DOCKER(-|$)/,
    table: /^docker-/,
    why: 'it sets FORWARD’s policy to DROP, and puts its chains above others at each start: what is directed passes, what DomUs open outwards needs a rule',
    command: (bridge) => `iptables -I DOCKER-USER -i ${word(bridge)} -j ACCEPT`,
  },
  {
    name: 'firewalld',
    chain: /^(FORWARD_direct|FWD[IO]_|FORWARD_IN_ZONES)/,
    table: /^firewalld$/,
    why: 'what is directed passes it; connections to the DomUs’ own addresses, and those that DomUs open, pass only where a policy of it accepts them, with the bridges in a zone of their own: see “Beside firewalld” in README.md',
    command: () => 'firewall-cmd --list-all-policies',
  },
  {
    name: 'ufw',
    chain: /^ufw6?-/,
    table: /^ufw$/,
    why: 'its policy for what is routed is to refuse: what is directed passes, what DomUs open outwards needs a rule',
    command: (bridge) => `ufw route allow in on ${word(bridge)}`,
  },
  {
    name: 'libvirt',
    chain: /^LIBVIRT_/,
    table: /^libvirt_network$/,
    why: 'it refuses what is forwarded to and from its own networks, and puts its chains above others whenever one starts: keep the DomUs off those',
    command: () => 'virsh net-list --all',
  },
];

export function judgeFirewalls({ chains, bases, bridges }: FirewallsSeen): Verdict[] {
  const found = FIREWALLS.filter(
    ({ chain, table }) =>
      chains.some((name) => chain.test(name)) || bases.some((base) => table.test(base.table)),
  );
  if (found.length === 0) return [ok('no other program that keeps a firewall was found')];
  return found.map(({ name, why, command }) =>
    warning(`${name} keeps a firewall on this host`, why, command(bridges[0] ?? 'BRIDGE')),
  );
}

async function look({ rulesets, bases, services }: Ground): Promise<FirewallsSeen> {
  return {
    chains: (await rulesets()).flatMap(({ chains }) => chains),
    bases: (await bases()) ?? [],
    bridges: services.map(({ bridge }) => bridge.name),
  };
}

export const firewallsCheck = check('firewalls', look, judgeFirewalls);

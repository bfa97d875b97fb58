import type { Address, Family, Network } from '../model/address.ts';
import { FULL_PREFIX, formatNetwork } from '../model/address.ts';
import type { TableName, TableState, TableStates } from '../model/kernel-state.ts';
import { EMPTY_TABLES } from '../model/kernel-state.ts';
import { hex } from '../model/mark.ts';
import type { Outlet, Port, Protocol } from '../model/service.ts';
import type { Slot } from '../model/state.ts';
import { chainsOf } from '../plan/chains.ts';
import type {
  DomuPlace,
  FamilyPlan,
  ServiceChains,
  ServicePorts,
  ServiceSource,
  Target,
} from '../plan/chains.ts';
import {
  CHOICE_SET,
  DARK_CHAIN,
  guardChain,
  quarantineChain,
  serviceChain,
  targetChain,
} from '../plan/names.ts';
import type { Branch, Tree } from '../plan/tree.ts';
import type { Frame, FrameLine, Use } from './frame.ts';
import { WrittenChains } from './written-chains.ts';
import type { ChainSource } from './written-chains.ts';
import { jumpsOf } from './layout.ts';

/** A family's tables in iptables-save's spelling, so that what was loaded can be compared with what is read back. */
export function renderTables(frame: Frame, plan: FamilyPlan | null): TableStates {
  if (plan === null) return EMPTY_TABLES;
  const { guard, dispatch, quarantine, services } = plan;
  const filter = [
    new TreeChains(GUARD, guard),
    ...(quarantine === null ? [] : [new TreeChains(QUARANTINE, quarantine)]),
    ...services.map((service) => new ServiceChain(FILTER, service)),
  ];
  const nat = [
    new TreeChains(DISPATCH, dispatch),
    ...services.map((service) => new ServiceChain(NAT, service)),
  ];
  return assembled(frame, plan, filter, nat);
}

/** The same without the chains that are the same in `other`, of which the plan is another one of the same family. */
export function renderOtherTables(frame: Frame, plan: FamilyPlan, other: FamilyPlan): TableStates {
  const { guard, dispatch, quarantine } = plan;
  const same = new Set(other.services);
  const services = plan.services.filter((service) => !same.has(service));
  const filter = [
    new TreeChains(GUARD, guard, other.guard),
    ...(quarantine === null ? [] : [new TreeChains(QUARANTINE, quarantine, other.quarantine)]),
    ...services.map((service) => new ServiceChain(FILTER, service)),
  ];
  const nat = [
    new TreeChains(DISPATCH, dispatch, other.dispatch),
    ...services.map((service) => new ServiceChain(NAT, service)),
  ];
  return assembled(frame, plan, filter, nat);
}

/** With what every plan has: the frame. */
function assembled(
  frame: Frame,
  plan: FamilyPlan,
  filter: readonly ChainSource[],
  nat: readonly ChainSource[],
): TableStates {
  const generated = {
    guard: linesOf(GUARD, plan.guard.root),
    dispatch: linesOf(DISPATCH, plan.dispatch.root),
    quarantine: plan.quarantine === null ? null : linesOf(QUARANTINE, plan.quarantine.root),
  };
  const inUse: Record<Use, boolean> = {
    hold: plan.held,
    quarantine: plan.quarantine !== null,
    tree: plan.dispatch.chains.size > 0,
  };
  const table = (name: TableName, more: readonly ChainSource[]): TableState => {
    const fixed = new Map<string, readonly string[]>(framed(frame[name], inUse, plan.markMask, generated));
    const chains = new WrittenChains([
      { names: [...fixed.keys()], rulesOf: (chain) => fixed.get(chain) ?? [] },
      ...more,
    ]);
    return { chains, jumps: jumpsOf(name).filter(({ target }) => chains.has(target)) };
  };
  return {
    filter: table('filter', filter),
    raw: table('raw', []),
    mangle: table('mangle', []),
    nat: table('nat', nat),
  };
}

/** How a tree is written. */
interface TreeText<Leaf> {
  readonly match: (network: Network) => string;
  readonly lines: (address: Address, leaf: Leaf) => string[];
}

const GUARD: TreeText<DomuPlace> = {
  match: (network) => matchDestination(network),
  lines: (address, place) => guardLines(address, place),
};
const DISPATCH: TreeText<readonly ServicePorts[]> = {
  match: (network) => matchDestination(network),
  lines: (address, services) => dispatchLines(address, services),
};
const QUARANTINE: TreeText<DomuPlace> = {
  match: (network) => matchSource(network),
  lines: (address, place) => quarantineLines(address, place),
};

function linesOf<Leaf>({ match, lines }: TreeText<Leaf>, branches: readonly Branch<Leaf>[]): string[] {
  return branches.flatMap((branch) =>
    branch.kind === 'network'
      ? [`${match(branch.network)}-g ${branch.chain}`]
      : lines(branch.address, branch.leaf),
  );
}

/** A tree's chains, without those which are the same in another one. */
class TreeChains<Leaf> implements ChainSource {
  readonly names: readonly string[];
  readonly #text: TreeText<Leaf>;
  readonly #tree: Tree<Leaf>;

  constructor(text: TreeText<Leaf>, tree: Tree<Leaf>, other: Tree<Leaf> | null = null) {
    this.#text = text;
    this.#tree = tree;
    this.names = [...tree.chains].flatMap(([chain, branches]) =>
      other?.chains.get(chain) === branches ? [] : chain,
    );
  }

  rulesOf(chain: string): string[] {
    return linesOf(this.#text, this.#tree.chains.get(chain) ?? []);
  }
}

/** One of the tables that services have chains in: their names, and what stands in them. */
interface ServiceText {
  readonly names: (source: ServiceSource) => string[];
  readonly write: (chains: ServiceChains, source: ServiceSource) => [string, string[]][];
}

const FILTER: ServiceText = {
  names: ({ state: { service } }) =>
    [guardChain, ...(service.quarantine === null ? [] : [quarantineChain])].flatMap((name) =>
      (['a', 'b'] as const).map((slot) => name(service.name, slot)),
    ),
  write: (chains, { family }) => [...guardChains(chains), ...quarantineChains(chains, family)],
};
const NAT: ServiceText = {
  names: ({ state: { service } }) => [
    serviceChain(service.name),
    ...(['a', 'b'] as const).map((slot) => targetChain(service.name, slot)),
  ],
  write: (chains, { markMask }) => serviceChains(chains, markMask),
};

class ServiceChain implements ChainSource {
  readonly #text: ServiceText;
  readonly #source: ServiceSource;

  constructor(text: ServiceText, source: ServiceSource) {
    this.#text = text;
    this.#source = source;
  }

  get names(): string[] {
    return this.#text.names(this.#source);
  }

  rulesOf(chain: string): string[] {
    const written = this.#text.write(chainsOf(this.#source), this.#source);
    return written.find(([name]) => name === chain)?.[1] ?? [];
  }
}

/** The lines of the trees' roots. */
type Generated = Readonly<Record<'guard' | 'dispatch', readonly string[]>> & {
  readonly quarantine: readonly string[] | null;
};

/** A chain of which every line is left out is not made at all. */
function framed(
  chains: ReadonlyMap<string, readonly FrameLine[]>,
  inUse: Readonly<Record<Use, boolean>>,
  markMask: number,
  generated: Generated,
): [string, string[]][] {
  return [...chains].flatMap(([chain, lines]): [string, string[]][] => {
    const used = lines.filter(({ only }) => only === null || inUse[only]);
    if (used.length === 0) return [];
    return [[chain, used.flatMap((line) => frameRules(line, markMask, generated))]];
  });
}

function frameRules(line: FrameLine, markMask: number, generated: Generated): readonly string[] {
  if (line.kind === 'generated') return generated[line.what] ?? [];
  return [line.rule.replaceAll('${MARK}', hex(markMask))];
}

function dispatchLines(address: Address, services: readonly ServicePorts[]): string[] {
  const destination = matchDestination(single(address));
  return services.flatMap(({ service, ports }) =>
    matchPorts(ports).map((match) => `${destination}${match} -g ${serviceChain(service)}`),
  );
}

function quarantineLines(address: Address, { service, slot }: DomuPlace): string[] {
  return [`${matchSource(single(address))}-g ${quarantineChain(service, slot)}`];
}

function guardLines(address: Address, { service, slot }: DomuPlace): string[] {
  return [`${matchDestination(single(address))}-g ${guardChain(service, slot)}`];
}

/** The service's own chain reads as what happens; each DomU's chain marks the connection and changes its destination. */
function serviceChains(service: ServiceChains, markMask: number): [string, string[]][] {
  const cases = service.cases.map(
    ({ when, slot }) => `${matchCase(when, service)}-g ${targetChain(service.name, slot)}`,
  );
  const target = (slot: Slot): [string, string[]] => [
    targetChain(service.name, slot),
    targetLines(service.targets[slot], markMask),
  ];
  return [[serviceChain(service.name), cases], target('a'), target('b')];
}

function matchCase(when: 'tester' | 'trial' | 'always', { testers }: ServiceChains): string {
  if (when === 'always') return '';
  return when === 'trial'
    ? `-m set --match-set ${CHOICE_SET} dst,dst `
    : `-m set --match-set ${testers ?? ''} src `;
}

function targetLines({ domu, address, marks, mapped }: Target, markMask: number): string[] {
  const host = address.family === 6 ? `[${address.text}]` : address.text;
  return [
    ...marks.map(
      ({ protocol, mark }) => `-p ${protocol} -j CONNMARK --set-xmark ${hex(mark)}/${hex(markMask)}`,
    ),
    ...mapped.map(
      ({ protocol, port, target }) =>
        `${matchPort(protocol, String(port))} -j DNAT --to-destination ${host}:${target}`,
    ),
    `-m comment --comment ${domu} -j DNAT --to-destination ${address.text}`,
  ];
}

/** What happens to a connection that somebody opens to a DomU's own address: RETURN leaves it to the host's rules. */
function guardChains(service: ServiceChains): [string, string[]][] {
  return (['a', 'b'] as const).map((slot) => [guardChain(service.name, slot), guardRules(service, slot)]);
}

function guardRules(service: ServiceChains, slot: Slot): string[] {
  const { bridge, testers, admins, open } = service;
  const sameBridge = `-i ${bridge} -o ${bridge} -j RETURN`;
  if (open[slot] === 'always') return [sameBridge];
  return [
    sameBridge,
    ...matchOpen(service, slot, 'dst'),
    ...(testers === null ? [] : [`-m set --match-set ${testers} src -j RETURN`]),
    ...admins.map((network) => `${matchSource(network)}-j RETURN`),
    `-g ${DARK_CHAIN}`,
  ];
}

/** Returns what is of the live DomU; the choice list says which that is while there is a trial. */
function matchOpen({ open }: ServiceChains, slot: Slot, side: 'src' | 'dst'): string[] {
  if (open[slot] === 'in-trial') return [`-m set --match-set ${CHOICE_SET} ${side} -j RETURN`];
  return open[slot] === 'unless-trial' ? [`-m set ! --match-set ${CHOICE_SET} ${side} -j RETURN`] : [];
}

const reject = (family: Family): string =>
  `-j REJECT --reject-with ${family === 4 ? 'icmp-admin-prohibited' : 'icmp6-adm-prohibited'}`;

/** What a DomU may open outwards while it is dark; nothing but this is asked of it when it is live. */
function quarantineChains(service: ServiceChains, family: Family): [string, string[]][] {
  if (service.outlets === null) return [];
  return (['a', 'b'] as const).map((slot) => [
    quarantineChain(service.name, slot),
    quarantineRules(service, service.outlets ?? [], slot, family),
  ]);
}

function quarantineRules(
  service: ServiceChains,
  outlets: readonly Outlet[],
  slot: Slot,
  family: Family,
): string[] {
  const { bridge, open } = service;
  const sameBridge = `-i ${bridge} -o ${bridge} -j RETURN`;
  if (open[slot] === 'always') return [sameBridge];
  return [sameBridge, ...matchOpen(service, slot, 'src'), ...outlets.flatMap(outletRules), reject(family)];
}

/** By what the DomU asked for: a service's address is a DomU's by the time that a packet is forwarded. */
function outletRules({ to, ports }: Outlet): string[] {
  const network = to.prefix === FULL_PREFIX[to.family] ? to.address : formatNetwork(to);
  const asked = to.prefix === 0 ? '' : ` --ctorigdst ${network}`;
  if (ports.length === 0) return [asked === '' ? '-j RETURN' : `-m conntrack${asked} -j RETURN`];
  return ports.map(
    (port) => `-p ${port.protocol} -m conntrack${asked} --ctorigdstport ${range(port)} -j RETURN`,
  );
}

/** A multiport match takes 15 ports, and a range counts as two (iptables-extensions(8)). */
const MULTIPORT = 15;

function matchPorts(ports: readonly Port[]): string[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) => {
    const own = ports.filter((port) => port.protocol === protocol);
    const [only] = own;
    if (only === undefined) return [];
    if (own.length === 1) return [matchPort(protocol, range(only))];
    return chunks(own).map((chunk) => matchChunk(protocol, chunk));
  });
}

/**
 * For each `-m udp --dport`, iptables(8) asks for all addresses that the host has (libxtables' XTTYPE_PORTRC resolves even
 * a number, by getaddrinfo(3)): with 10,000 bridges, loading the rules would take minutes longer.
 */
function matchPort(protocol: Protocol, port: string): string {
  return protocol === 'udp' ? `-p udp -m multiport --dports ${port}` : `-p tcp -m tcp --dport ${port}`;
}

function matchChunk(protocol: Protocol, chunk: readonly Port[]): string {
  return `-p ${protocol} -m multiport --dports ${chunk.map(range).join(',')}`;
}

function chunks(ports: readonly Port[]): Port[][] {
  const result: Port[][] = [];
  let room = 0;
  for (const port of ports) {
    const size = port.from === port.to ? 1 : 2;
    if (room < size) {
      result.push([]);
      room = MULTIPORT;
    }
    result.at(-1)?.push(port);
    room -= size;
  }
  return result;
}

const range = ({ from, to }: Port): string => (from === to ? String(from) : `${from}:${to}`);
const single = ({ family, text }: Address): Network => ({
  family,
  address: text,
  prefix: FULL_PREFIX[family],
});

/** iptables-save leaves out what matches everything. */
const matchDestination = (network: Network): string =>
  network.prefix === 0 ? '' : `-d ${formatNetwork(network)} `;
const matchSource = (network: Network): string =>
  network.prefix === 0 ? '' : `-s ${formatNetwork(network)} `;

import type { Address, Family, Network } from '../../../src/model/address.ts';
import { contains, parseAddress, parseNetwork } from '../../../src/model/address.ts';
import type { KernelState, TableName } from '../../../src/model/kernel-state.ts';
import type { Protocol } from '../../../src/model/service.ts';
import { CHOICE_SET } from '../../../src/plan/names.ts';

/** A connection's first packet, as it comes from outside. */
export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: Protocol;
}

/** `directed`: let through by our mark; `left`: no rule of ours says anything. `to` is where it was going by then. */
export interface Fate {
  readonly verdict: 'directed' | 'left' | 'rejected';
  readonly to: string;
  readonly port: number;
}

interface Flying {
  readonly family: Family;
  readonly source: Address;
  /** Where it was sent to, before any translation. */
  readonly asked: { readonly destination: Address; readonly port: number };
  destination: Address;
  port: number;
  readonly protocol: Protocol;
  mark: number;
}

/**
 * What becomes of a connection's first packet to the host itself: filter INPUT. The same holds as for send().
 */
export function sendToHost(kernel: KernelState, packet: Packet): 'left' | 'rejected' {
  return traverse(kernel, 'filter', 'INPUT', takeOff(packet)) === 'REJECT' ? 'rejected' : 'left';
}

/**
 * What becomes of a connection's first packet on a kernel that holds this: nat PREROUTING, then filter FORWARD, as the
 * kernel goes through them. Written against iptables(8), iptables-extensions(8) and ipset(8), not against the renderer;
 * throws for a match or target that it does not know, so that no rule is silently taken for another.
 */
export function send(kernel: KernelState, packet: Packet): Fate {
  const flying = takeOff(packet);
  traverse(kernel, 'nat', 'PREROUTING', flying);
  const forwarded = traverse(kernel, 'filter', 'FORWARD', flying);
  const verdict = forwarded === 'ACCEPT' ? 'directed' : forwarded === 'REJECT' ? 'rejected' : 'left';
  return { verdict, to: flying.destination.text, port: flying.port };
}

function takeOff({ from, to, port, protocol }: Packet): Flying {
  const destination = mustParse(to);
  const { family } = destination;
  const asked = { destination, port };
  return { family, source: mustParse(from), asked, destination, port, protocol, mark: 0 };
}

function mustParse(text: string): Address {
  const address = parseAddress(text);
  if (typeof address === 'string') throw new Error(address);
  return address;
}

type Verdict = 'ACCEPT' | 'REJECT' | 'DNAT' | 'RETURN';

/** From a built-in chain through the jumps into ours, in their order. */
function traverse(kernel: KernelState, table: TableName, hook: string, packet: Flying): Verdict {
  const jumps = kernel.tables[packet.family][table].jumps.filter(({ chain }) => chain === hook);
  for (const { target } of jumps.toSorted((a, b) => (a.at === b.at ? 0 : a.at === 'first' ? -1 : 1))) {
    const verdict = walk(kernel, table, target, packet);
    if (verdict !== 'RETURN') return verdict;
  }
  return 'RETURN';
}

/** RETURN: back to whoever jumped here. A chain that was entered by -g returns to whoever jumped before that. */
function walk(kernel: KernelState, table: TableName, chain: string, packet: Flying): Verdict {
  const rules = kernel.tables[packet.family][table].chains.get(chain);
  if (rules === undefined) throw new Error(`${table} has no chain ${chain}`);
  for (const text of rules) {
    const rule = parseRule(text);
    if (!rule.matches.every((match) => match(kernel, packet))) continue;
    if (rule.kind === 'goto') return walk(kernel, table, rule.target, packet);
    const verdict = act(kernel, table, rule, packet);
    if (verdict !== null) return verdict;
  }
  return 'RETURN';
}

type Match = (kernel: KernelState, packet: Flying) => boolean;

interface Rule {
  readonly matches: readonly Match[];
  readonly kind: 'goto' | 'jump' | 'none';
  readonly target: string;
  readonly options: readonly string[];
}

/** Null: on to the next rule. */
function act(
  kernel: KernelState,
  table: TableName,
  { kind, target, options }: Rule,
  packet: Flying,
): Verdict | null {
  if (kind === 'none') return null;
  switch (target) {
    case 'ACCEPT':
    case 'REJECT':
    case 'RETURN':
      return target;
    case 'CONNMARK':
      packet.mark = Number(after(options, '--set-xmark').split('/')[0]);
      return null;
    case 'DNAT':
      translate(packet, after(options, '--to-destination'));
      return 'DNAT';
    default: {
      const verdict = walk(kernel, table, target, packet);
      return verdict === 'RETURN' ? null : verdict;
    }
  }
}

function translate(packet: Flying, to: string): void {
  const withPort = /^(?:\[(?<six>.+)\]|(?<four>[\d.]+)):(?<port>\d+)$/.exec(to)?.groups;
  packet.destination = mustParse(withPort === undefined ? to : (withPort['six'] ?? withPort['four'] ?? ''));
  if (withPort !== undefined) packet.port = Number(withPort['port']);
}

function after(options: readonly string[], name: string): string {
  const value = options[options.indexOf(name) + 1];
  if (!options.includes(name) || value === undefined) throw new Error(`${name} is missing`);
  return value;
}

const parsed = new Map<string, Rule>();

function parseRule(text: string): Rule {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const rule = readRule(text.split(' '));
  parsed.set(text, rule);
  return rule;
}

function readRule(words: readonly string[]): Rule {
  const end = words.findIndex((word) => word === '-j' || word === '-g');
  const matches: Match[] = [];
  const rest = words.slice(0, end === -1 ? undefined : end);
  while (rest.length > 0) {
    const negated = rest[0] === '!';
    if (negated) rest.shift();
    const name = rest.shift() ?? '';
    // `-m NAME` may be followed by its negated option; it says nothing itself.
    if (name === '-m') rest.shift();
    else matches.push(readMatch(name, rest, negated));
  }
  if (end === -1) return { matches, kind: 'none', target: '', options: [] };
  const kind = words[end] === '-g' ? 'goto' : 'jump';
  return { matches, kind, target: words[end + 1] ?? '', options: words.slice(end + 2) };
}

/** Takes the option's value from `rest`. */
function readMatch(name: string, rest: string[], negated: boolean): Match {
  const value = rest.shift() ?? '';
  const plain = MATCHES[name];
  if (name === '--match-set') {
    const dimensions = (rest.shift() ?? '').split(',');
    return (kernel, packet) => inSet(kernel, value, dimensions, packet) !== negated;
  }
  // Nobody opens a connection by a reset.
  if (name === '--tcp-flags' && rest.shift() === 'RST') return () => negated;
  if (plain === undefined) throw new Error(`the simulator does not know the match ${name}`);
  const match = plain(value);
  return (_, packet) => match(packet) !== negated;
}

const MATCHES: Readonly<Record<string, (value: string) => (packet: Flying) => boolean>> = {
  '-d': (value) => inNetwork(value, 'destination'),
  '-s': (value) => inNetwork(value, 'source'),
  // Nothing is sent here that stays on one bridge, which is all that the rules ask of interfaces.
  '-i': () => () => false,
  '-o': () => () => false,
  '-p': (value) => (packet) => packet.protocol === value,
  '--dport': (value) => (packet) => inRange(packet.port, value),
  '--dports': (value) => {
    // iptables-extensions(8), multiport: up to 15 ports, and a range counts as two.
    if (value.split(/[,:]/).length > 15) throw new Error(`${value} is more than a multiport match takes`);
    return (packet) => value.split(',').some((range) => inRange(packet.port, range));
  },
  '--mark': (value) => {
    const [mark, mask] = value.split('/').map(Number);
    return (packet) => (packet.mark & (mask ?? 0)) >>> 0 === mark;
  },
  '--ctstate': (value) => () => value.split(',').includes('NEW'),
  '--ctdir': (value) => () => value === 'ORIGINAL',
  '--ctorigdst': (value) => {
    const network = mustParseNetwork(value);
    return ({ asked }) => contains(network, asked.destination);
  },
  '--ctorigdstport':
    (value) =>
    ({ asked }) =>
      inRange(asked.port, value),
  '--comment': () => () => true,
  // Only what is counted is left to chance, and that decides nothing.
  '--mode': () => () => true,
  '--probability': () => () => true,
};

function inNetwork(text: string, end: 'source' | 'destination'): (packet: Flying) => boolean {
  const network = mustParseNetwork(text);
  return (packet) => contains(network, packet[end]);
}

function mustParseNetwork(text: string): Network {
  const network = parseNetwork(text);
  if (typeof network === 'string') throw new Error(network);
  return network;
}

function inRange(port: number, range: string): boolean {
  const [from, to] = range.split(':').map(Number);
  return from !== undefined && port >= from && port <= (to ?? from);
}

function inSet(kernel: KernelState, name: string, dimensions: readonly string[], packet: Flying): boolean {
  const [first = '', second] = dimensions.map((end) => (end === 'src' ? packet.source : packet.destination));
  if (first === '') throw new Error(`${name} is read without saying of what`);
  const keys = [first.text];
  if (second !== undefined) keys.push(`${first.text},${packet.protocol}:${packet.port}`);
  if (name === CHOICE_SET) {
    if (kernel.choice === null) throw new Error('a rule reads the choice, which does not exist');
    return kernel.choice.elements.some(({ key }) => keys.includes(key));
  }
  const set = kernel.sets.find((one) => one.name === name);
  if (set === undefined) throw new Error(`a rule reads the set ${name}, which does not exist`);
  if (set.family !== packet.family) return false;
  if (set.type === 'hash:net') return set.elements.some(({ key }) => containsKey(key, first));
  return set.elements.some(({ key }) => keys.includes(key));
}

function containsKey(key: string, address: Address): boolean {
  const network = parseNetwork(key);
  return typeof network !== 'string' && contains(network, address);
}

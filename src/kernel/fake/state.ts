import { KernelError } from '../../lib/errors.ts';
import type { Family, InterfaceAddress } from '../../model/address.ts';
import type { SetType, TableName } from '../../model/kernel-state.ts';

/**
 * Everything that the fake kernel holds, as a value that is never changed in place: a reducer answers a new state,
 * or the very same one where nothing changed, or throws KernelError, and then the old one stays.
 */
export interface FakeState {
  readonly links: ReadonlyMap<string, FakeLink>;
  readonly addresses: readonly FakeAddress[];
  readonly sets: ReadonlyMap<string, FakeSet>;
  readonly tables: FakeTables;
  readonly sysctls: ReadonlyMap<string, string>;
}

export interface FakeLink {
  readonly name: string;
  readonly index: number;
  readonly mac: string;
  readonly kind: 'bridge' | 'other';
  readonly up: boolean;
  readonly master: string | null;
  readonly mtu: number;
  readonly ours: boolean;
}

export interface FakeAddress {
  readonly link: string;
  readonly address: InterfaceAddress;
  readonly ours: boolean;
}

export interface FakeElement {
  readonly expiresAt: number | null;
  readonly packets: number;
  readonly bytes: number;
}

export interface FakeSet {
  readonly type: SetType | 'list:set';
  /** A list:set has no family of its own; 4 stands there. */
  readonly family: Family;
  readonly timeouts: boolean;
  readonly counters: boolean;
  readonly elements: ReadonlyMap<string, FakeElement>;
  /** Of a list:set: the sets in it. */
  readonly members: readonly string[];
}

/** Chains by name, built-in and foreign ones too, with their rules in iptables-save's spelling. */
export type FakeTable = ReadonlyMap<string, readonly string[]>;
export type FakeTables = Readonly<Record<Family, Readonly<Record<TableName, FakeTable>>>>;

/** The chains that the kernel itself has in each table (netfilter hooks; iptables(8), TABLES). */
export const BUILT_IN: Readonly<Record<TableName, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
};

export const isOurChain = (chain: string): boolean => chain.startsWith('DIR-');

export function emptyTable(table: TableName): FakeTable {
  return new Map(BUILT_IN[table].map((chain) => [chain, []]));
}

function emptyTables(): Record<TableName, FakeTable> {
  return {
    filter: emptyTable('filter'),
    raw: emptyTable('raw'),
    mangle: emptyTable('mangle'),
    nat: emptyTable('nat'),
  };
}

const LOOPBACK: FakeLink = {
  name: 'lo',
  index: 1,
  mac: '00:00:00:00:00:00',
  kind: 'other',
  up: true,
  master: null,
  mtu: 65536,
  ours: false,
};

/** A host that was just started: loopback, empty tables, forwarding off. */
export function freshHost(sysctls: Readonly<Record<string, string>> = {}): FakeState {
  return {
    links: new Map([['lo', LOOPBACK]]),
    addresses: [],
    sets: new Map(),
    tables: { 4: emptyTables(), 6: emptyTables() },
    sysctls: new Map(
      Object.entries({ 'net/ipv4/ip_forward': '0', 'net/ipv6/conf/all/forwarding': '0', ...sysctls }),
    ),
  };
}

/** A refusal of the fake: nothing changed. */
export function refusal(code: string, what: string, hint?: string): KernelError {
  return new KernelError(`${what}; nothing was changed`, hint === undefined ? { code } : { code, hint });
}

export function withEntry<Key, Value>(
  map: ReadonlyMap<Key, Value>,
  key: Key,
  value: Value,
): ReadonlyMap<Key, Value> {
  return new Map(map).set(key, value);
}

export function withoutEntry<Key, Value>(map: ReadonlyMap<Key, Value>, key: Key): ReadonlyMap<Key, Value> {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}

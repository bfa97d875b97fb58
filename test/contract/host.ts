import { afterEach, beforeEach, expect } from 'vitest';
import { KernelError } from '../../src/lib/errors.ts';
import type { Kernel, Scope } from '../../src/kernel/kernel.ts';
import { parseInterfaceAddress } from '../../src/model/address.ts';
import type { Family, InterfaceAddress } from '../../src/model/address.ts';
import type {
  Jump,
  KernelState,
  LinkAddress,
  SetElement,
  SetSpec,
  TableName,
} from '../../src/model/kernel-state.ts';
import type { Operation, TableChange } from '../../src/model/operation.ts';

/** What others do on the host, by the host's own tools. */
export interface Outside {
  readonly addBridge: (name: string) => Promise<void>;
  readonly removeLink: (name: string) => Promise<void>;
  readonly addAddress: (link: string, address: InterfaceAddress) => Promise<void>;
  readonly addRule: (
    family: Family,
    table: TableName,
    chain: string,
    rule: string,
    at: Jump['at'],
  ) => Promise<void>;
  /** The rules of a chain, without `-A CHAIN `. */
  readonly rules: (family: Family, table: TableName, chain: string) => Promise<string[]>;
  readonly flushTable: (family: Family, table: TableName) => Promise<void>;
  /** A hash:ip set of IPv4. */
  readonly addSet: (name: string) => Promise<void>;
  readonly flushSet: (name: string) => Promise<void>;
  readonly destroySet: (name: string) => Promise<void>;
  readonly swapSets: (a: string, b: string) => Promise<void>;
}

/** A host with nothing of ours on it, and the kernel under test. */
export interface Host {
  readonly kernel: Kernel;
  readonly outside: Outside;
  readonly now: () => number;
  /** Lets this much time pass for the kernel; milliseconds. */
  readonly advance: (ms: number) => Promise<void>;
  readonly addLink: (name: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

export type OpenHost = () => Promise<Host>;

/** What a test or its host may take before it counts as stuck; a busy machine is not a failure. Milliseconds. */
export const PATIENCE = 60_000;

/** A fresh host for each test of the surrounding suite. */
export function freshHosts(open: OpenHost): () => Host {
  let host: Host | undefined;
  beforeEach(async () => {
    host = await open();
  }, PATIENCE);
  afterEach(async () => {
    await host?.close();
    host = undefined;
  }, PATIENCE);
  return () => {
    if (host === undefined) throw new Error('there is a host only while a test runs');
    return host;
  };
}

type WithoutWhy<T> = T extends Operation ? Omit<T, 'why'> : never;

export async function apply(kernel: Kernel, ...operations: readonly WithoutWhy<Operation>[]): Promise<void> {
  for (const operation of operations) await kernel.apply({ why: 'the contract asks', ...operation });
}

export const NOTHING: Scope = { links: [], sysctls: [] };

/** What is there, with everything that has no order of its own put into one. */
export async function see(kernel: Kernel, scope: Partial<Scope> = {}): Promise<KernelState> {
  const state = await kernel.observe({ ...NOTHING, ...scope });
  return {
    ...state,
    bridges: state.bridges
      .map((bridge) => ({ ...bridge, members: bridge.members.toSorted() }))
      .toSorted((a, b) => compare(a.name, b.name)),
    addresses: state.addresses.toSorted((a, b) => compare(JSON.stringify(a), JSON.stringify(b))),
    sets: state.sets
      .map((set) => ({ ...set, elements: byKey(set.elements) }))
      .toSorted((a, b) => compare(a.name, b.name)),
    choice: state.choice === null ? null : { elements: byKey(state.choice.elements) },
  };
}

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);
export const byKey = (elements: readonly SetElement[]): SetElement[] =>
  elements.toSorted((a, b) => compare(a.key, b.key));

export const keysOf = (elements: readonly SetElement[] | undefined): string[] | undefined =>
  elements === undefined ? undefined : byKey(elements).map(({ key }) => key);

export const forGood = (...keys: string[]): SetElement[] =>
  byKey(keys.map((key) => ({ key, expiresAt: null })));

export const setSpec = (name: string, more: Partial<SetSpec> = {}): SetSpec => ({
  name,
  type: 'hash:ip',
  family: 4,
  timeouts: false,
  counters: false,
  ...more,
});

export function address(text: string): InterfaceAddress {
  const parsed = parseInterfaceAddress(text);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

export const linkAddress = (link: string, text: string, more: Partial<LinkAddress> = {}): LinkAddress => ({
  link,
  address: address(text),
  ours: true,
  announce: false,
  ...more,
});

/** A change of one table that writes these chains. */
export const writing = (
  table: TableName,
  chains: Readonly<Record<string, readonly string[]>>,
  more: Partial<TableChange> = {},
): TableChange => ({
  table,
  write: Object.entries(chains).map(([chain, rules]) => ({ chain, rules })),
  jumps: [],
  delete: [],
  ...more,
});

export const rules = (family: Family, ...tables: readonly TableChange[]) =>
  ({ kind: 'rules', family, tables }) as const;

/** Expects a KernelError, of this code where one is given, and answers it. */
export async function refused(what: Promise<unknown>, code?: string): Promise<KernelError> {
  const error: unknown = await what.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KernelError);
  if (!(error instanceof KernelError)) throw new Error('it was not refused');
  if (code !== undefined) expect(`${error.code}: ${error.message}`).toMatch(new RegExp(`^${code}:`));
  return error;
}

import type { Steps } from '../lib/turn.ts';
import type { KernelState, SetState, TableState, TableStates } from '../model/kernel-state.ts';
import { TABLES } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import { diffSets, specOf, surplus } from './diff-sets.ts';
import { diffTables } from './diff-tables.ts';
import { standInFor } from './names.ts';

export interface CrookedSet {
  /** As it should be. */
  readonly set: SetState;
  /** What it is. */
  readonly is: string;
}

/** Sets that are wanted, and whose name one of another type, family or with other features has. */
export function crookedSets({ sets }: KernelState, observed: KernelState): CrookedSet[] {
  const there = new Map(observed.sets.map((set) => [set.name, kindOf(set)]));
  for (const name of observed.crooked?.sets ?? []) there.set(name, 'of a type that is none of ours');
  return sets.flatMap((set) => {
    const is = there.get(set.name) ?? kindOf(set);
    return is === kindOf(set) ? [] : [{ set, is }];
  });
}

const kindOf = ({ type, family, timeouts, counters }: SetState): string =>
  [type, `IPv${family}`, ...(timeouts ? ['timeouts'] : []), ...(counters ? ['counters'] : [])].join(', ');

/**
 * A set's type cannot be changed, two of different types cannot be exchanged (IPSET_CMD_SWAP), and one that a rule reads
 * can be neither renamed nor destroyed. So another set stands in for it: that one is filled, the rules are loaded with its
 * name, the old one goes and comes back as it should be, and the rules are loaded as they are wanted. Each load of rules
 * is one commit a table, and both sets say the same, so that no packet meets anything else. `observed` is without them.
 */
export function* replaceSets(
  desired: KernelState,
  observed: KernelState,
  crooked: readonly CrookedSet[],
): Steps<Operation[]> {
  const meanwhile = withStandIns(desired, new Set(crooked.map(({ set }) => set.name)));
  // Stand-ins of an attempt that was cut short; they go with all else that nothing needs.
  const left = new Map(observed.sets.map((set) => [set.name, set]));
  const standIns = crooked.map(({ set }) => ({ ...set, name: standInFor(set.name) }));
  const stale: Operation[] = [];
  for (const set of standIns) {
    const there = left.get(set.name);
    if (there !== undefined) stale.push(...(yield* surplus(there, set)));
  }
  return [
    ...(yield* diffSets(meanwhile, observed)),
    ...stale,
    ...(yield* diffTables(meanwhile, observed)),
    ...crooked.flatMap(makeAnew),
    ...(yield* diffTables(desired, { ...observed, tables: meanwhile.tables })),
    ...standIns.filter(({ name }) => !left.has(name)).map(dismiss),
  ];
}

function makeAnew({ set, is }: CrookedSet): Operation[] {
  const why = `${set.name} is ${is}, and has to be ${kindOf(set)}`;
  const spec = specOf(set);
  const fill: Operation = { kind: 'set-add', set: spec, elements: set.elements, why: `${set.name} is new` };
  return [
    { kind: 'set-destroy', set: spec, why },
    { kind: 'set-create', set: spec, why },
    ...(set.elements.length === 0 ? [] : [fill]),
  ];
}

const dismiss = (set: SetState): Operation => ({
  kind: 'set-destroy',
  set: specOf(set),
  why: `nothing needs ${set.name} any more`,
});

function withStandIns(desired: KernelState, names: ReadonlySet<string>): KernelState {
  const rename = (name: string): string => (names.has(name) ? standInFor(name) : name);
  const tables = (states: TableStates): TableStates =>
    Object.fromEntries(TABLES.map((name) => [name, renameIn(states[name], rename)])) as Record<
      (typeof TABLES)[number],
      TableState
    >;
  return {
    ...desired,
    sets: desired.sets.map((set) => ({ ...set, name: rename(set.name) })),
    tables: { 4: tables(desired.tables[4]), 6: tables(desired.tables[6]) },
  };
}

function renameIn(table: TableState, rename: (set: string) => string): TableState {
  const renamed = (rule: string): string =>
    rule.replaceAll(/(--match-set )(\S+)/g, (_, match: string, set: string) => match + rename(set));
  return {
    ...table,
    chains: new Map([...table.chains].map(([chain, rules]) => [chain, rules.map(renamed)])),
  };
}

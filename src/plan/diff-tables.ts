import { filterInSteps } from '../lib/turn.ts';
import type { Steps } from '../lib/turn.ts';
import type { Family } from '../model/address.ts';
import { FAMILIES } from '../model/address.ts';
import type { Jump, KernelState, TableName, TableState } from '../model/kernel-state.ts';
import { TABLES } from '../model/kernel-state.ts';
import type { Operation, TableChange } from '../model/operation.ts';
import { targetsFirst } from './targets-first.ts';
import type { Written } from './targets-first.ts';

/**
 * So many chains are made or taken away by one restore: the time that it takes grows faster than they do (30,000 at once
 * take five times as long as in parts of some hundreds).
 */
const BATCH = 1000;
/** Chains between two steps. */
const SOME = 32;

/** One restore a family, with only what differs in it; many new chains in parts before it, many old ones after it. */
export function* diffTables(desired: KernelState, observed: KernelState): Steps<Operation[]> {
  const operations: Operation[] = [];
  for (const family of FAMILIES) operations.push(...(yield* diffFamily(family, desired, observed)));
  return operations;
}

function* diffFamily(family: Family, desired: KernelState, observed: KernelState): Steps<Operation[]> {
  const parts: Divided[] = [];
  for (const table of TABLES) {
    const there = observed.tables[family][table];
    parts.push(divide(yield* diffTable(table, desired.tables[family][table], there), there));
    yield;
  }
  return [
    ...parts.flatMap(({ before }) => before).map((change) => rules(family, [change])),
    ...together(
      family,
      parts.map(({ change }) => change),
    ),
    ...parts.flatMap(({ after }) => after).map((change) => rules(family, [change])),
  ];
}

const rules = (family: Family, tables: readonly TableChange[]): Operation => ({
  kind: 'rules',
  family,
  tables,
  why: describe(tables),
});

function together(family: Family, changes: readonly TableChange[]): Operation[] {
  const some = changes.filter(
    ({ write, jumps, delete: gone }) => write.length + jumps.length + gone.length > 0,
  );
  return some.length === 0 ? [] : [rules(family, some)];
}

interface Divided {
  readonly before: readonly TableChange[];
  readonly change: TableChange;
  readonly after: readonly TableChange[];
}

/**
 * No packet gets into a chain that was not there, for nothing leads there before the change itself is made; nor into one
 * that nothing leads to after it.
 */
function divide(change: TableChange, { chains }: TableState): Divided {
  const { table, write, delete: gone } = change;
  if (write.length + gone.length <= BATCH) return { before: [], change, after: [] };
  const added = write.filter(({ chain }) => !chains.has(chain));
  const stale = gone.map((chain) => ({ chain, rules: chains.get(chain) ?? [] }));
  return {
    before: batches(targetsFirst(added)).map((some) => ({ table, write: some, jumps: [], delete: [] })),
    change: { ...change, write: write.filter(({ chain }) => chains.has(chain)), delete: [] },
    after: batches(targetsFirst(stale).toReversed()).map((some) => ({
      table,
      write: [],
      jumps: [],
      delete: some.map(({ chain }) => chain),
    })),
  };
}

function batches<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / BATCH);
  return Array.from({ length: count }, (_, n) => items.slice(n * BATCH, (n + 1) * BATCH));
}

function* diffTable(table: TableName, desired: TableState, observed: TableState): Steps<TableChange> {
  if (desired === observed) return { table, write: [], jumps: [], delete: [] };
  const write: Written[] = [];
  let count = 0;
  // Chains are written when they are asked for: more of them than some would be felt.
  for (const [chain, rules] of desired.chains) {
    if (!equal(rules, observed.chains.get(chain))) write.push({ chain, rules });
    if (++count % SOME === 0) yield;
  }
  const gone = yield* filterInSteps(observed.chains.keys(), (chain) => !desired.chains.has(chain));
  return { table, write, jumps: diffJumps(desired.jumps, observed.jumps), delete: gone };
}

function diffJumps(desired: readonly Jump[], observed: readonly Jump[]): TableChange['jumps'] {
  const find = (jumps: readonly Jump[], like: Jump): Jump | undefined =>
    jumps.find(({ chain, target }) => chain === like.chain && target === like.target);
  const misplaced = desired.flatMap((jump) => {
    const found = find(observed, jump);
    if (found?.at === jump.at && (found.surplus ?? 0) === 0) return [];
    return [{ jump, present: found === undefined ? 0 : 1 + (found.surplus ?? 0), wanted: true }];
  });
  const unwanted = observed
    .filter((jump) => find(desired, jump) === undefined)
    .map((jump) => ({ jump, present: 1 + (jump.surplus ?? 0), wanted: false }));
  return [...misplaced, ...unwanted];
}

function equal(a: readonly string[], b: readonly string[] | undefined): boolean {
  return a === b || (b?.length === a.length && a.every((rule, index) => rule === b[index]));
}

function describe(changes: readonly TableChange[]): string {
  const written = changes.flatMap(({ table, write }) => write.map(({ chain }) => `${table} ${chain}`));
  const jumps = changes.flatMap(({ table, jumps: list }) =>
    list.map(({ jump }) => `${table} ${jump.chain} to ${jump.target}`),
  );
  const gone = changes.flatMap(({ table, delete: chains }) => chains.map((chain) => `${table} ${chain}`));
  return [list('chains that differ', written), list('jumps', jumps), list('chains without a service', gone)]
    .filter(Boolean)
    .join('; ');
}

function list(title: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  return `${title}: ${names.slice(0, 4).join(', ')}${names.length > 4 ? ` and ${names.length - 4} more` : ''}`;
}

import type { Family } from '../model/address.ts';
import { FAMILIES } from '../model/address.ts';
import type { Jump, KernelState, TableName, TableState } from '../model/kernel-state.ts';
import { TABLES } from '../model/kernel-state.ts';
import type { Operation, TableChange } from '../model/operation.ts';

/** One restore a family, with only what differs in it. */
export function diffTables(desired: KernelState, observed: KernelState): Operation[] {
  return FAMILIES.flatMap((family) => diffFamily(family, desired, observed));
}

function diffFamily(family: Family, desired: KernelState, observed: KernelState): Operation[] {
  const changes = TABLES.map((table) =>
    diffTable(table, desired.tables[family][table], observed.tables[family][table]),
  ).filter(({ write, jumps, delete: gone }) => write.length + jumps.length + gone.length > 0);
  return changes.length === 0 ? [] : [{ kind: 'rules', family, tables: changes, why: describe(changes) }];
}

function diffTable(table: TableName, desired: TableState, observed: TableState): TableChange {
  const write = [...desired.chains]
    .filter(([chain, rules]) => !equal(rules, observed.chains.get(chain)))
    .map(([chain, rules]) => ({ chain, rules }));
  const gone = [...observed.chains.keys()].filter((chain) => !desired.chains.has(chain));
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
  return b?.length === a.length && a.every((rule, index) => rule === b[index]);
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

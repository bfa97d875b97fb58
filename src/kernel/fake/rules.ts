import type { Family } from '../../model/address.ts';
import { FAMILIES } from '../../model/address.ts';
import { CHAIN_NAME_MAX, TABLES } from '../../model/kernel-state.ts';
import type { Jump, TableName, TableState } from '../../model/kernel-state.ts';
import type { TableChange } from '../../model/operation.ts';
import { BUILT_IN, isOurChain, refusal } from './state.ts';
import type { FakeState, FakeTable, FakeTables } from './state.ts';

/** A jump that the layout wants, with its table. */
export type PlacedJump = Jump & { readonly table: TableName };

const CHAIN_OF_RULE = /(?:^|\s)-[jg] (DIR-\S+)/g;
const SET_OF_RULE = /--(?:match-set|add-set|del-set|map-set) (\S+)/g;

const named = (pattern: RegExp, rule: string): string[] =>
  [...rule.matchAll(pattern)].map((match) => match[1] ?? '');
const jumpRule = (target: string): string => `-j ${target}`;

export function withTable(state: FakeState, family: Family, table: TableName, content: FakeTable): FakeState {
  const tables = { ...state.tables, [family]: { ...state.tables[family], [table]: content } };
  return { ...state, tables };
}

/** One restore: each table as a whole, or nothing. */
export function applyRules(state: FakeState, family: Family, changes: readonly TableChange[]): FakeState {
  return changes.reduce((before, change) => {
    const table = before.tables[family][change.table];
    const after = changeTable(table, change);
    checkReferences(before, family, after, change);
    return isSameTable(table, after) ? before : withTable(before, family, change.table, after);
  }, state);
}

function changeTable(table: FakeTable, change: TableChange): FakeTable {
  const chains = new Map(table);
  for (const { chain, rules } of change.write) {
    checkChainName(chain);
    chains.set(chain, rules);
  }
  for (const entry of change.jumps) placeJump(chains, change.table, entry);
  for (const chain of change.delete) {
    checkChainName(chain);
    chains.delete(chain);
  }
  return chains;
}

function checkChainName(chain: string): void {
  if (!isOurChain(chain) || chain.length > CHAIN_NAME_MAX || /\s/.test(chain)) {
    throw refusal(
      'EINVAL',
      `"${chain}" is not a chain of ours: DIR-..., at most ${CHAIN_NAME_MAX} characters`,
    );
  }
}

function placeJump(
  chains: Map<string, readonly string[]>,
  table: TableName,
  { jump, present, wanted }: TableChange['jumps'][number],
): void {
  const rules = [...(chains.get(jump.chain) ?? [])];
  if (!chains.has(jump.chain)) throw refusal('ENOENT', `the table ${table} has no chain ${jump.chain}`);
  const rule = jumpRule(jump.target);
  for (let left = present; left > 0; left--) {
    const index = rules.indexOf(rule);
    if (index === -1) {
      throw refusal('ENOENT', `${jump.chain} of ${table} does not hold "${rule}" ${present} times`);
    }
    rules.splice(index, 1);
  }
  if (wanted && jump.at === 'first') rules.unshift(rule);
  if (wanted && jump.at === 'last') rules.push(rule);
  chains.set(jump.chain, rules);
}

/**
 * Whatever a written rule refers to must be there, and whatever was deleted must be referred to by none.
 * Only what the change touched is looked at: everything else was sound before.
 */
function checkReferences(state: FakeState, family: Family, table: FakeTable, change: TableChange): void {
  const touched = [...change.write.map(({ chain }) => chain), ...change.jumps.map(({ jump }) => jump.chain)];
  for (const chain of touched) {
    for (const rule of table.get(chain) ?? []) checkRule(state, family, table, chain, rule);
  }
  if (change.delete.length === 0) return;
  const gone = new Set(change.delete);
  for (const [chain, rules] of table) {
    const kept = rules.flatMap((rule) => named(CHAIN_OF_RULE, rule)).find((target) => gone.has(target));
    if (kept !== undefined) {
      throw refusal('EBUSY', `the chain ${kept} of ${change.table} is still referred to by ${chain}`);
    }
  }
}

function checkRule(state: FakeState, family: Family, table: FakeTable, chain: string, rule: string): void {
  const where = `the rule "${rule}" of ${chain}`;
  for (const target of named(CHAIN_OF_RULE, rule)) {
    if (!table.has(target)) throw refusal('ENOENT', `${where} refers to ${target}, which does not exist`);
  }
  for (const set of named(SET_OF_RULE, rule)) checkSet(state, family, set, where);
}

/** A list of sets has no family; iptables itself refuses any other set of the wrong one (libxt_set.h). */
function checkSet({ sets }: FakeState, family: Family, name: string, where: string): void {
  const set = sets.get(name);
  if (set === undefined) throw refusal('ENOENT', `${where} refers to the set ${name}, which does not exist`);
  if (set.type !== 'list:set' && set.family !== family) {
    throw refusal('EINVAL', `${where} is of IPv${family}, and the set ${name} of IPv${set.family}`);
  }
}

function isSameTable(a: FakeTable, b: FakeTable): boolean {
  const sameRules = (rules: readonly string[], others: readonly string[] | undefined): boolean =>
    rules === others || (rules.length === others?.length && rules.every((rule, i) => rule === others[i]));
  return a.size === b.size && [...a].every(([chain, rules]) => sameRules(rules, b.get(chain)));
}

/** Where rules of any table and family refer to this set. */
export function referrersToSet(tables: FakeTables, set: string): string[] {
  return FAMILIES.flatMap((family) =>
    TABLES.flatMap((table) =>
      [...tables[family][table]]
        .filter(([, rules]) =>
          rules.some((rule) => rule.includes(set) && named(SET_OF_RULE, rule).includes(set)),
        )
        .map(([chain]) => `the chain ${chain} (${table}, IPv${family})`),
    ),
  );
}

/** Our own chains, and the jumps into them from all others. */
export function observeTable(
  table: TableName,
  content: FakeTable,
  wanted: readonly PlacedJump[],
): TableState {
  const chains = new Map([...content].filter(([chain]) => isOurChain(chain)));
  const jumps = [...content]
    .filter(([chain]) => !isOurChain(chain))
    .flatMap(([chain, rules]) => jumpsOf(table, chain, rules, wanted));
  return { chains, jumps };
}

function jumpsOf(
  table: TableName,
  chain: string,
  rules: readonly string[],
  wanted: readonly PlacedJump[],
): Jump[] {
  const targets = rules
    .map((rule) => /^-j (DIR-\S+)$/.exec(rule)?.[1])
    .filter((target) => target !== undefined);
  return [...new Set(targets)].map((target) => {
    const place = wanted.find(
      (jump) => jump.table === table && jump.chain === chain && jump.target === target,
    );
    const surplus = targets.filter((other) => other === target).length - 1;
    const at = placeOf(rules, jumpRule(target), place?.at ?? 'first');
    return { chain, target, at, ...(surplus > 0 ? { surplus } : {}) };
  });
}

/** Where it is wanted if it stands there; else the other place, so that it is seen to be misplaced. */
function placeOf(rules: readonly string[], rule: string, wanted: Jump['at']): Jump['at'] {
  const stands = { first: rules[0] === rule, last: rules.at(-1) === rule };
  if (stands[wanted]) return wanted;
  return wanted === 'first' ? 'last' : 'first';
}

/** `iptables -F`, of one chain or of all: the chains stay, empty. */
export function flushTable(content: FakeTable, only?: string): FakeTable {
  return new Map(
    [...content].map(([chain, rules]) => [chain, only === undefined || only === chain ? [] : rules]),
  );
}

/** What a firewall's reload leaves: its own rules, and no chain that it does not know. */
export function replaceTable(
  table: TableName,
  rules: Readonly<Record<string, readonly string[]>>,
): FakeTable {
  const builtIn = BUILT_IN[table].map((chain) => [chain, [] as readonly string[]] as const);
  return new Map([...builtIn, ...Object.entries(rules)]);
}

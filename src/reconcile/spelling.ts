import type { Family } from '../model/address.ts';
import { FAMILIES } from '../model/address.ts';
import type { KernelState, TableName, TableState, TableStates } from '../model/kernel-state.ts';
import { TABLES } from '../model/kernel-state.ts';

/**
 * Another version of iptables may print a rule otherwise than we write it. What is read back twice from a chain that
 * was just written, rule for rule, is remembered as its spelling of our rule; else it would look like drift for ever.
 */
export class Spelling {
  readonly #ours: Map<string, string>;
  readonly #onLearn: (known: [string, string][]) => void;

  constructor(known: readonly (readonly [string, string])[], onLearn: (known: [string, string][]) => void) {
    this.#ours = new Map(known);
    this.#onLearn = onLearn;
  }

  /** What was observed, in our own spelling. */
  translate(observed: KernelState): KernelState {
    if (this.#ours.size === 0) return observed;
    const translate = (tables: TableStates): TableStates =>
      Object.fromEntries(TABLES.map((name) => [name, this.#translateTable(tables[name])])) as Record<
        TableName,
        TableState
      >;
    return { ...observed, tables: { 4: translate(observed.tables[4]), 6: translate(observed.tables[6]) } };
  }

  #translateTable(table: TableState): TableState {
    return {
      ...table,
      chains: new Map(
        [...table.chains].map(([chain, rules]) => [chain, rules.map((rule) => this.#ours.get(rule) ?? rule)]),
      ),
    };
  }

  /** Both readings came after the same write; whatever differs in the same way both times is spelling. */
  learn(desired: KernelState, first: KernelState, second: KernelState): void {
    const before = this.#ours.size;
    for (const family of FAMILIES)
      for (const table of TABLES) this.#learnTable(family, table, desired, first, second);
    if (this.#ours.size > before) this.#onLearn([...this.#ours]);
  }

  #learnTable(
    family: Family,
    table: TableName,
    desired: KernelState,
    first: KernelState,
    second: KernelState,
  ): void {
    for (const [chain, rules] of desired.tables[family][table].chains) {
      const one = first.tables[family][table].chains.get(chain);
      const two = second.tables[family][table].chains.get(chain);
      if (one?.length !== rules.length || two?.length !== rules.length) continue;
      rules.forEach((rule, index) => {
        const read = one[index];
        if (read !== undefined && read === two[index] && read !== rule && similar(read, rule))
          this.#ours.set(read, rule);
      });
    }
  }
}

/** The same target: a spelling never changes where a rule leads. */
function similar(a: string, b: string): boolean {
  const target = (rule: string): string | undefined => /-[jg] (\S+)/.exec(rule)?.[1];
  return target(a) === target(b);
}

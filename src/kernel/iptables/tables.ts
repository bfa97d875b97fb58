import { KernelError } from '../../lib/errors.ts';
import type { Family } from '../../model/address.ts';
import { EMPTY_TABLES } from '../../model/kernel-state.ts';
import type { TableStates } from '../../model/kernel-state.ts';
import type { ExpectedRules } from '../kernel.ts';
import type { Iptables } from './iptables.ts';
import { parseSaveInTurns } from './parse-save.ts';
import type { WantedJump } from './parse-save.ts';

interface Options {
  readonly iptables: Iptables;
  readonly jumps: readonly WantedJump[];
  /** See Kernel.generation. */
  readonly generation: () => Promise<number | null>;
}

/**
 * What there is of ours in the tables of both families. They are read anew only where anybody has changed an nf_tables
 * ruleset since, which its generation tells; where iptables-legacy rules, every time. What comes out is the same object
 * as before where nothing was read.
 */
export class TableReader {
  readonly #options: Options;
  readonly #known = new Map<Family, { readonly generation: number; readonly tables: TableStates }>();

  constructor(options: Options) {
    this.#options = options;
  }

  async both(expected?: ExpectedRules): Promise<Readonly<Record<Family, TableStates>>> {
    // Asked for before anything is read: what is changed meanwhile has another one.
    const generation = await this.#options.generation();
    if (generation !== null && generation === expected?.generation) return expected.tables;
    const [ipv4, ipv6] = await Promise.all([
      this.#read(4, generation, expected),
      this.#read(6, generation, expected).catch(noneOfIPv6),
    ]);
    return { 4: ipv4, 6: ipv6 };
  }

  /** Throws KernelError where the family's tables cannot be read. */
  async check(family: Family): Promise<void> {
    await this.#read(family, await this.#options.generation(), undefined);
  }

  async #read(
    family: Family,
    generation: number | null,
    expected: ExpectedRules | undefined,
  ): Promise<TableStates> {
    const known = this.#known.get(family);
    if (known !== undefined && known.generation === generation) return known.tables;
    const { iptables, jumps } = this.#options;
    const text = await iptables.save(family);
    const tables = await parseSaveInTurns(text, jumps, expected?.tables[family]);
    if (generation !== null) this.#known.set(family, { generation, tables });
    return tables;
  }
}

/** A host without ip6tables holds none of our IPv6 rules. */
function noneOfIPv6(error: unknown): TableStates {
  const absent = error instanceof KernelError && (error.code === 'ENOENT' || error.code === 'EOPNOTSUPP');
  if (absent) return EMPTY_TABLES;
  throw error;
}

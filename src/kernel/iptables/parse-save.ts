import { KernelError } from '../../lib/errors.ts';
import { areSame } from '../../lib/keep.ts';
import { Turn } from '../../lib/turn.ts';
import { EMPTY_TABLE, EMPTY_TABLES, TABLES } from '../../model/kernel-state.ts';
import type { Jump, TableName, TableState, TableStates } from '../../model/kernel-state.ts';

/** A jump that the layout wants, and where. */
export interface WantedJump extends Pick<Jump, 'chain' | 'target' | 'at'> {
  readonly table: TableName;
}

const OURS = 'DIR-';
const JUMP = /^-j (DIR-\S+)$/;

/** Of a chain that says what it should: nothing of it needs to be kept. */
const AS_EXPECTED = null;

interface ReadTable {
  readonly chains: Map<string, string[] | typeof AS_EXPECTED>;
  /** Rules counted in each foreign chain. */
  readonly lengths: Map<string, number>;
  /** `chain target` -> at which places of its chain. */
  readonly jumps: Map<string, { chain: string; target: string; places: number[] }>;
  /** What there should be. */
  readonly like: TableState;
  /** The chain that is being read: iptables-save tells the rules of one after those of another. */
  reading: { readonly chain: string; readonly rules: string[]; readonly expected: readonly string[] } | null;
}

/** Lines between two looks at the clock. */
const SOME = 64;

/**
 * What there is of ours in the text of iptables-save(8), without counters: our chains with their rules, and the rules
 * of other chains that are precisely `-j DIR-X`. A jump stands `first` or `last` where it is so; one that is
 * neither, or not where `wanted` has it, is reported with the place that it should not have, so that it differs.
 * What says the same as `like` is the same object. KernelError EBUSY where a table cannot be read as iptables', because
 * nft has put something else into it.
 */
export function parseSave(
  text: string,
  wanted: readonly WantedJump[],
  like: TableStates = EMPTY_TABLES,
): TableStates {
  const reading = new Reading(wanted, like);
  for (const line of linesOf(text)) reading.read(line);
  return reading.tables;
}

/** The same; others have their turns meanwhile. */
export async function parseSaveInTurns(
  text: string,
  wanted: readonly WantedJump[],
  like: TableStates = EMPTY_TABLES,
): Promise<TableStates> {
  const reading = new Reading(wanted, like);
  const turn = new Turn();
  let count = 0;
  for (const line of linesOf(text)) {
    reading.read(line);
    if (++count % SOME === 0 && turn.isOver) await turn.pass();
  }
  return reading.tables;
}

function* linesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    yield text.slice(start, end);
    start = end + 1;
  }
}

class Reading {
  readonly tables: Record<TableName, TableState> = { ...EMPTY_TABLES };
  readonly #wanted: readonly WantedJump[];
  readonly #like: TableStates;
  #name: TableName | undefined;
  #read: ReadTable = emptyTable(EMPTY_TABLE);

  constructor(wanted: readonly WantedJump[], like: TableStates) {
    this.#wanted = wanted;
    this.#like = like;
  }

  read(line: string): void {
    if (line.startsWith('-A ')) readRule(this.#read, line);
    else if (line.startsWith(`:${OURS}`)) this.#read.chains.set(line.slice(1, line.indexOf(' ')), []);
    else if (line.startsWith('*')) {
      this.#name = TABLES.find((table) => table === line.slice(1).trim());
      this.#read = emptyTable(this.#name === undefined ? EMPTY_TABLE : this.#like[this.#name]);
    } else if (line === 'COMMIT' && this.#name !== undefined)
      this.tables[this.#name] = finish(this.#name, this.#read, this.#wanted);
    else if (line.startsWith('#')) refuseIncompatible(line);
  }
}

const emptyTable = (like: TableState): ReadTable => ({
  chains: new Map(),
  lengths: new Map(),
  jumps: new Map(),
  like,
  reading: null,
});

function readRule(read: ReadTable, line: string): void {
  const space = line.indexOf(' ', 3);
  const chain = line.slice(3, space < 0 ? undefined : space);
  const rule = space < 0 ? '' : line.slice(space + 1).trimEnd();
  if (!chain.startsWith(OURS)) {
    readForeignRule(read, chain, rule);
    return;
  }
  if (read.reading?.chain !== chain) {
    endChain(read);
    const expected = read.like.chains.get(chain) ?? [];
    const known = read.chains.get(chain);
    const rules = known === AS_EXPECTED ? [...expected] : (known ?? []);
    read.chains.set(chain, rules);
    read.reading = { chain, rules, expected };
  }
  read.reading.rules.push(rule);
}

function endChain({ chains, reading, like }: ReadTable): void {
  if (reading === null || !like.chains.has(reading.chain)) return;
  if (areSame(reading.rules, reading.expected)) chains.set(reading.chain, AS_EXPECTED);
}

function readForeignRule({ lengths, jumps }: ReadTable, chain: string, rule: string): void {
  const place = lengths.get(chain) ?? 0;
  lengths.set(chain, place + 1);
  const target = rule.startsWith('-j ') ? JUMP.exec(rule)?.[1] : undefined;
  if (target === undefined) return;
  const key = `${chain} ${target}`;
  const jump = jumps.get(key) ?? { chain, target, places: [] };
  jump.places.push(place);
  jumps.set(key, jump);
}

function finish(table: TableName, read: ReadTable, wanted: readonly WantedJump[]): TableState {
  if (read.chains.size === 0 && read.jumps.size === 0) return EMPTY_TABLE;
  const jumps = [...read.jumps.values()].map(({ chain, target, places }): Jump => {
    const want = wanted.find(
      (jump) => jump.table === table && jump.chain === chain && jump.target === target,
    );
    const at = standsAt(places, (read.lengths.get(chain) ?? 0) - 1, want?.at);
    return { chain, target, at, ...(places.length > 1 ? { surplus: places.length - 1 } : {}) };
  });
  endChain(read);
  const { chains, like } = read;
  for (const [chain, rules] of chains)
    if (rules?.length === 0 && like.chains.get(chain)?.length === 0) chains.set(chain, AS_EXPECTED);
  const same =
    chains.size === like.chains.size && [...chains.values()].every((rules) => rules === AS_EXPECTED);
  if (same && JSON.stringify(jumps) === JSON.stringify(like.jumps)) return like;
  const all = [...chains].map(([chain, rules]) => [chain, rules ?? like.chains.get(chain) ?? []] as const);
  return { chains: new Map(all), jumps };
}

function standsAt(places: readonly number[], last: number, wanted: Jump['at'] | undefined): Jump['at'] {
  const first = places.includes(0);
  if (wanted === undefined) return first ? 'first' : 'last';
  if (wanted === 'first') return first ? 'first' : 'last';
  return places.includes(last) ? 'last' : 'first';
}

/** `# Table `nat' is incompatible, use 'nft' tool.` (iptables/xtables-save.c). */
function refuseIncompatible(line: string): void {
  const table = /^# Table `(\w+)' is incompatible/.exec(line)?.[1];
  if (table === undefined || !TABLES.some((known) => known === table)) return;
  throw new KernelError(
    `iptables cannot read table ${table}: somebody has put rules into it with nft that iptables does not know`,
    { code: 'EBUSY', hint: `see \`nft list ruleset\` and move those rules to a table of their own` },
  );
}

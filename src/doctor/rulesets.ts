import { readFile } from 'node:fs/promises';
import { KernelError } from '../lib/errors.ts';
import { Turn } from '../lib/turn.ts';
import type { Family } from '../model/address.ts';
import { run } from '../lib/run.ts';

/** What of a family's iptables is not the director's own. */
export interface Ruleset {
  readonly family: Family;
  readonly backend: 'nft' | 'legacy';
  /** Rules outside of our chains, in all tables, without the jumps into ours. */
  readonly foreign: number;
  /** Whether there is any chain of ours. */
  readonly ours: boolean;
  /** Whether FORWARD leads to our guard; null where there is no guard. */
  readonly guarded: boolean | null;
  /** Names of others' chains in all tables, without the built-in ones. */
  readonly chains: readonly string[];
  /** Policy of filter FORWARD; null where there is no such table. */
  readonly policy: 'ACCEPT' | 'DROP' | null;
  /** Rules of the filter table by chain, without ours; in the spelling of iptables-save, without `-A CHAIN `. */
  readonly filter: ReadonlyMap<string, readonly string[]>;
}

export type Rulesets = readonly Ruleset[];

const OURS = 'DIR-';
/** The chain that keeps dark DomUs dark. */
export const GUARD = 'DIR-FWD';

/** Both variants and families, as far as there is anything. A tool that is not there has no rules. Else KernelError. */
export async function readRulesets(signal?: AbortSignal): Promise<Rulesets> {
  const legacy = { 4: await legacyTables('ip'), 6: await legacyTables('ip6') };
  const wanted = ([4, 6] as const).flatMap((family) => [
    { family, backend: 'nft' as const },
    // Asking iptables-legacy where it has no table would make the kernel load one.
    ...(legacy[family] ? [{ family, backend: 'legacy' as const }] : []),
  ]);
  const read = await Promise.all(wanted.map(({ family, backend }) => readOne(family, backend, signal)));
  return read.filter((ruleset) => ruleset !== null);
}

/** The tables that iptables-legacy has been asked for (net/netfilter/x_tables.c, /proc/net/ip_tables_names). */
async function legacyTables(prefix: 'ip' | 'ip6'): Promise<boolean> {
  const names = await readFile(`/proc/self/net/${prefix}_tables_names`, 'utf8').catch(notThere);
  return names.trim() !== '';
}

function notThere(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw new KernelError('whether iptables-legacy has rules is for root alone to read', { code: 'EPERM' });
}

async function readOne(
  family: Family,
  backend: Ruleset['backend'],
  signal: AbortSignal | undefined,
): Promise<Ruleset | null> {
  const tool = `${family === 4 ? 'iptables' : 'ip6tables'}-${backend}-save`;
  try {
    const { status, stdout, stderr } = await run(tool, [], { signal });
    if (status === 0) return await parseRuleset(stdout, family, backend);
    if (isUnsupported(stderr)) return null;
    throw new KernelError(`${tool} failed: ${stderr.trim()}`);
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** A kernel without nf_tables, or without this family (strerror(3)), has no such rules either. */
export const isUnsupported = (stderr: string): boolean => /not supported/i.test(stderr);

/** Of the text of iptables-save(8). Thousands of rules of ours are passed over, a few milliseconds at a time. */
export async function parseRuleset(
  text: string,
  family: Family,
  backend: Ruleset['backend'],
): Promise<Ruleset> {
  const turn = new Turn();
  const filter = new Map<string, string[]>();
  const chains = new Set<string>();
  let [table, policy, foreign, ours]: [string, Ruleset['policy'], number, boolean] = ['', null, 0, false];
  let guard = false;
  for (const line of lines(text)) {
    if (turn.isOver) await turn.pass();
    if (line.startsWith(`-A ${OURS}`)) continue;
    if (line.startsWith(`:${OURS}`)) {
      ours = true;
      guard ||= line.startsWith(`:${GUARD} `);
    } else if (line.startsWith('*')) table = line.slice(1).trim();
    else if (line.startsWith(':')) {
      const [name = '', said = ''] = line.slice(1).split(' ');
      if (said === '-') chains.add(name);
      if (table === 'filter' && name === 'FORWARD') policy = said === 'DROP' ? 'DROP' : 'ACCEPT';
    } else if (line.startsWith('-A ')) {
      const space = line.indexOf(' ', 3);
      const [chain, rule] = space < 0 ? [line.slice(3), ''] : [line.slice(3, space), line.slice(space + 1)];
      if (!rule.startsWith(`-j ${OURS}`)) foreign++;
      if (table === 'filter') addTo(filter, chain, rule.trimEnd());
    }
  }
  const guarded = guard ? (filter.get('FORWARD')?.includes(`-j ${GUARD}`) ?? false) : null;
  return { family, backend, foreign, ours, guarded, chains: [...chains], policy, filter };
}

function addTo(filter: Map<string, string[]>, chain: string, rule: string): void {
  const rules = filter.get(chain);
  if (rules === undefined) filter.set(chain, [rule]);
  else rules.push(rule);
}

function* lines(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    yield text.slice(start, end);
    start = end + 1;
  }
}

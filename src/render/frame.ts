import { DirectorError } from '../lib/errors.ts';
import type { Jump, TableName } from '../model/kernel-state.ts';
import { TABLES } from '../model/kernel-state.ts';
import { jumpsOf } from './layout.ts';

/**
 * What some lines are for: without it they are left out. `hold`: a service is held now; `quarantine`: one is quarantined;
 * `tree`: addresses of services are found in a tree of chains.
 */
export type Use = 'hold' | 'quarantine' | 'tree';

/** A line of a chain's frame: fixed text, or what is generated in its place. `only`: loaded only where this is in use. */
export type FrameLine = { readonly only: Use | null } & (
  | { readonly kind: 'rule'; readonly rule: string }
  | { readonly kind: 'generated'; readonly what: 'guard' | 'dispatch' | 'quarantine' }
);

export type Frame = Readonly<Record<TableName, ReadonlyMap<string, readonly FrameLine[]>>>;

/**
 * Reads a frame from rules/; what is only for one of `always` is loaded in any case. Throws DirectorError for a file that
 * is not one, or that has other jumps than JUMPS.
 */
export function parseFrame(text: string, file: string, always: readonly Use[] = []): Frame {
  const frame: Record<TableName, Map<string, FrameLine[]>> = {
    filter: new Map(),
    raw: new Map(),
    mangle: new Map(),
    nat: new Map(),
  };
  const jumps: Record<TableName, Jump[]> = { filter: [], raw: [], mangle: [], nat: [] };
  let table: TableName | null = null;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line === 'COMMIT') continue;
    const opened = TABLES.find((name) => line === `*${name}`);
    if (opened !== undefined) table = opened;
    else if (table === null || !readLine(line, frame[table], jumps[table], always)) {
      throw new DirectorError(`${file}:${index + 1}: "${line}" is not a line of a frame`, {
        hint: 'reinstall the package: its rules/ were changed',
      });
    }
  }
  for (const name of TABLES) checkJumps(name, jumps[name], file);
  return frame;
}

function readLine(
  text: string,
  chains: Map<string, FrameLine[]>,
  jumps: Jump[],
  always: readonly Use[],
): boolean {
  const use = USES.find((each) => text.startsWith(`?${each} `)) ?? null;
  const line = use === null ? text : text.slice(use.length + 2);
  const only = use === null || always.includes(use) ? null : use;
  const chain = /^:(DIR-\S+) - \[0:0\]$/.exec(line)?.[1];
  if (chain !== undefined) {
    chains.set(chain, []);
    return true;
  }
  const jump = /^-([IA]) ([A-Z]+) -j (DIR-\S+)$/.exec(line);
  if (jump?.[2] !== undefined && jump[3] !== undefined) {
    return jumps.push({ chain: jump[2], target: jump[3], at: jump[1] === 'I' ? 'first' : 'last' }) > 0;
  }
  const rule = /^-A (DIR-\S+) (.+)$/.exec(line);
  if (rule?.[1] !== undefined && rule[2] !== undefined)
    return add(chains, rule[1], { kind: 'rule', rule: rule[2], only });
  const generated = /^@(guard|dispatch|quarantine) (DIR-\S+?):/.exec(line);
  if (generated?.[1] === undefined || generated[2] === undefined) return false;
  return add(chains, generated[2], {
    kind: 'generated',
    what: generated[1] as 'guard' | 'dispatch' | 'quarantine',
    only,
  });
}

const USES: readonly Use[] = ['hold', 'quarantine', 'tree'];

function add(chains: Map<string, FrameLine[]>, chain: string, line: FrameLine): boolean {
  const lines = chains.get(chain);
  lines?.push(line);
  return lines !== undefined;
}

function checkJumps(table: TableName, found: readonly Jump[], file: string): void {
  if (JSON.stringify(found) !== JSON.stringify(jumpsOf(table))) {
    throw new DirectorError(
      `${file}: the ${table} table's jumps are not those that the director looks after`,
    );
  }
}

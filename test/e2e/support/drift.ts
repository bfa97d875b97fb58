import { expect } from 'vitest';
import type { JournalEntry, PlanView } from '../../../src/api/contract.ts';
import type { Operation } from '../../../src/model/operation.ts';
import type { World } from '../../../src/lab/world.ts';
import type { DirectedWorld } from './director.ts';
import { kernelText } from './kernel-text.ts';
import { Metrics } from './metrics.ts';
import { Operator } from './operator.ts';

/** What somebody else does to what is ours, and what the director should say of it. */
export interface Drift {
  readonly name: string;
  readonly act: (world: World) => Promise<unknown>;
  /** What the journal has to name. */
  readonly told: readonly RegExp[];
  /** What the metrics have to count. */
  readonly kinds: readonly Operation['kind'][];
  /** What takes away, when ours is back, what the drift has left of others'. */
  readonly after?: (world: World) => Promise<unknown>;
  /** Several steps of which the director should not see one alone: it is not scheduled meanwhile. */
  readonly atOnce?: boolean;
}

/** Far more than what it takes: a slow machine fails nobody. */
const WITHIN = { timeout: 20_000, interval: 50 };

const TOOLS = ['iptables', 'ip6tables'] as const;

/** The same with both tools. */
export async function both(world: World, ...args: readonly string[]): Promise<void> {
  for (const tool of TOOLS) await world.must('dom0', [tool, '-w', ...args]);
}

/** One commit for each of these tables, in each family. */
export async function restoreBoth(
  world: World,
  tables: readonly string[],
  ...rules: string[]
): Promise<void> {
  const stdin = tables.map((table) => [`*${table}`, ...rules, 'COMMIT\n'].join('\n')).join('');
  for (const tool of TOOLS) await world.must('dom0', [`${tool}-restore`, '-w', '--noflush'], { stdin });
}

export async function ip(world: World, ...lines: readonly string[]): Promise<void> {
  await world.must('dom0', ['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
}

export async function ipset(world: World, ...lines: readonly string[]): Promise<void> {
  await world.must('dom0', ['ipset', 'restore'], { stdin: `${lines.join('\n')}\n` });
}

type Reload = (world: World, tables?: readonly string[]) => Promise<void>;

/** What others have in the tables; answers how they load it again after they have flushed these (by default all). */
export async function hostsOwnRules(world: World): Promise<Reload> {
  const saved = await Promise.all(TOOLS.map((tool) => world.must('dom0', [`${tool}-save`])));
  const nft = await world.must('dom0', ['nft', 'list', 'table', 'inet', 'firewall']);
  const own = saved.map((text) => text.replaceAll(/^(#|.*DIR-).*\n/gm, '').split(/(?<=^COMMIT\n)/m));
  return async (_, tables) => {
    for (const [index, tool] of TOOLS.entries()) {
      const stdin = own[index]?.filter(
        (text) => tables?.some((table) => text.startsWith(`*${table}\n`)) ?? true,
      );
      await world.must('dom0', [`${tool}-restore`, '-w', '--noflush'], { stdin: stdin?.join('') ?? '' });
    }
    if (tables === undefined)
      await world.must('dom0', ['nft', '-f', '-'], {
        stdin: `table inet firewall\ndelete table inet firewall\n${nft}`,
      });
  };
}

/** All that there is, in an order that does not depend on what was made first; without what is different by chance. */
export async function wholeKernel(world: World): Promise<string[]> {
  const lines = (await kernelText(world)).split('\n').filter((line) => line !== '');
  const tables: string[][] = [];
  const rest: string[] = [];
  let open: string[] | null = null;
  for (const line of lines) {
    if (line.startsWith('*')) tables.push((open = [line]));
    else if (line === 'COMMIT') open = null;
    else if (open !== null) open.push(line);
    else rest.push(settled(line));
  }
  return [...tables.map((table) => table.join('\n')).toSorted(), ...rest.toSorted()];
}

const settled = (line: string): string =>
  line
    .replaceAll(/ (initval|hashsize) \S+/g, '')
    .replace(/@\S+/, '')
    .split(/\s+/)
    .toSorted()
    .join(' ');

/** Lets things drift, and sees them put back and named. */
export class Drifting {
  readonly #directed: DirectedWorld;
  readonly #operator: Operator;

  constructor(directed: DirectedWorld) {
    this.#directed = directed;
    this.#operator = new Operator(directed);
  }

  get operator(): Operator {
    return this.#operator;
  }

  /** Repairs since the journal's entry `id`, oldest first. */
  async repairsSince(id: number): Promise<JournalEntry[]> {
    const entries = await this.#operator.journal(200);
    return entries.filter((entry) => entry.id > id && entry.kind === 'repair').toReversed();
  }

  async lastEntry(): Promise<number> {
    return (await this.#operator.journal(1))[0]?.id ?? 0;
  }

  async nothingPending(): Promise<void> {
    const { changes } = (await this.#operator.must(200, 'GET', '/v1/plan')) as PlanView;
    expect(changes).toEqual([]);
  }

  /** All of `drift` up to the end; answers the milliseconds that things were not as they should be. */
  async putBack(drift: Drift, whole?: readonly string[]): Promise<number> {
    const { world, daemon } = this.#directed;
    const before = whole ?? (await wholeKernel(world));
    const last = await this.lastEntry();
    const counted = await Metrics.of(daemon.socket);
    if (drift.atOnce === true) daemon.process.signal('SIGSTOP');
    try {
      await drift.act(world);
    } finally {
      if (drift.atOnce === true) daemon.process.signal('SIGCONT');
    }
    const since = Date.now();
    const repairs = await this.named(drift.told, last);
    await drift.after?.(world);
    await expect.poll(() => wholeKernel(world), { timeout: 20_000, interval: 100 }).toEqual(before);
    await expect
      .poll(
        () =>
          this.nothingPending().then(
            () => true,
            () => false,
          ),
        WITHIN,
      )
      .toBe(true);
    const now = await Metrics.of(daemon.socket);
    for (const kind of drift.kinds)
      expect(now.growth(counted, 'repairs_total', { kind }), kind).toBeGreaterThan(0);
    return Math.max(0, Date.parse(repairs.at(-1)?.at ?? '') - since);
  }

  /** The repairs since the journal's entry `last`, as soon as together they say all that has to be told. */
  async named(told: Drift['told'], last: number): Promise<JournalEntry[]> {
    let repairs: JournalEntry[] = [];
    const missing = async (): Promise<string[]> => {
      repairs = await this.repairsSince(last);
      const text = repairs.map((repair) => repair.text).join('\n');
      return told.filter((words) => !words.test(text)).map((words) => `${String(words)} in ${text}`);
    };
    await expect.poll(missing, WITHIN).toEqual([]);
    return repairs;
  }
}

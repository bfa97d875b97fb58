import { KINDS, folded } from '../../capacity/load.ts';
import type { Kind, Load } from '../../capacity/load.ts';
import type { Consolidation, Together, Wish } from '../../capacity/consolidate.ts';
import type { Cell, Column } from '../layout.ts';
import { layout, wrap } from '../layout.ts';
import type { Look } from '../look.ts';
import type { KnownCost } from '../routing-cost.ts';
import { count, list } from '../words.ts';
import { consolidationNotes } from './consolidation-notes.ts';
import { cores, percent } from './cores.ts';
import { date, moment, timeOfDay } from './moment.ts';

/** Below this, kinds of time that sar tells apart only in its long form share a column. */
const WIDE = 110;

/** Loads of machines, what they are together, and how many hosts that makes. */
export function consolidationLines(plan: Consolidation, wish: Wish, known: KnownCost, look: Look): string[] {
  const { bold, dim } = look.colors;
  const notes = consolidationNotes(plan, wish, known);
  return [
    ...wrap(`${count(plan.machines.length, 'machine')}, ${spanText(plan)}. In cores:`, look),
    ...table(plan, wish, look),
    '',
    ...wrap(verdict(plan, wish), look).map(bold),
    ...reasons(plan, wish).flatMap((sentence) => wrap(sentence, look)),
    ...placements(plan, look),
    '',
    ...notes.flatMap((note) => wrap(`- ${note}`, look, 2)).map(dim),
  ];
}

function spanText({ machines }: Consolidation): string {
  const days = machines.flatMap(({ machine }) => machine.days.map(({ at }) => at)).toSorted((a, b) => a - b);
  const [first, last] = [date(days[0] ?? 0), date(days.at(-1) ?? 0)];
  return `${first === last ? first : `${first} to ${last}`} (${machines[0]?.machine.zone ?? 'UTC'})`;
}

function table(plan: Consolidation, wish: Wish, look: Look): string[] {
  const { bold, dim } = look.colors;
  const shown = look.width < WIDE ? folded : (load: Load): Load => load;
  const loads = [...plan.machines.map(({ peak }) => peak.load), plan.most.peak.load].map(shown);
  const kinds = KINDS.filter((kind) => ALWAYS.has(kind) || loads.some((load) => load[kind] >= 0.005));
  const at = (seconds: number): Cell['texts'] =>
    wish.byTimeOfDay ? [timeOfDay(seconds)] : [moment(seconds), moment(seconds).slice(5)];
  const parts = (load: Load): Cell[] =>
    kinds.map((kind) => ({
      texts: [cores(shown(load)[kind])],
      paint: kind === 'iowait' && !wish.withIowait ? dim : String,
    }));
  const together = (name: string, what: Consolidation['least']): Cell[] => [
    { texts: [name], paint: bold },
    { texts: [''] },
    { texts: [cores(what.average.cores)], paint: bold },
    { texts: [cores(what.peak.cores)], paint: bold },
    { texts: what.peak.at === null ? ['each its own', 'its own'] : at(what.peak.at) },
    ...parts(what.peak.load),
  ];
  const rows = plan.machines.map(({ machine, peak, average }): Cell[] => [
    { texts: [machine.name] },
    { texts: [String(machine.cores)] },
    { texts: [cores(average.cores)] },
    { texts: [cores(peak.cores)] },
    { texts: at(peak.at) },
    ...parts(peak.load),
  ]);
  return layout(
    [...COLUMNS, ...kinds.map(columnOf)],
    [...rows, together('at least', plan.least), together('at most', plan.most)],
    look,
  );
}

const ALWAYS: ReadonlySet<Kind> = new Set(['user', 'system', 'steal', 'iowait']);
const COLUMNS: readonly Column[] = [
  { title: 'MACHINE', least: 8 },
  { title: 'HAS', align: 'right' },
  { title: 'DAY', align: 'right' },
  { title: '5 MIN', align: 'right' },
  { title: 'AT', least: 11 },
];
const columnOf = (kind: Kind): Column => ({ title: kind.toUpperCase(), align: 'right' });

function verdict({ hosts, machines, tooBig, usable }: Consolidation, wish: Wish): string {
  if (hosts === null) {
    const needed = Math.max(...machines.map(({ peak }) => peak.cores));
    const each = tooBig.length === 1 ? 'needs' : 'each need';
    return (
      `No number of such hosts is enough: ${list(tooBig)} ${each} more by itself than the ${cores(usable)} cores ` +
      `that one gives. Take hosts of at least ${count(Math.ceil(needed / (1 - wish.reserve) - 1e-9), 'core')}.`
    );
  }
  const [least, most] = [hosts.least.length, hosts.most.length];
  if (most === 1) return 'One host is enough, even if all peaks meet.';
  if (least === 1)
    return `One host is enough as long as the peaks stay apart as they were; if all meet, ${most} are needed.`;
  if (least === most) return `One host is not enough: ${count(least, 'host')} are needed.`;
  return `One host is not enough: ${count(least, 'host')} at the least, ${most} at the most.`;
}

function reasons({ least, most, usable }: Consolidation, wish: Wish): string[] {
  const when = least.peak.at === null ? '' : (wish.byTimeOfDay ? timeOfDay : moment)(least.peak.at);
  return [
    `A host of ${count(wish.cores, 'core')} gives ${cores(usable)} with ${percent(wish.reserve)} in reserve.`,
    `At the least ${cores(least.peak.cores)} are needed: the highest 5 minutes of all together, ${when}; ${reason(least.peak)}.`,
    `At the most ${cores(most.peak.cores)}: if the highest 5 minutes of each met; ${reason(most.peak)}.`,
  ];
}

function reason({ shares, cores: all }: Together): string {
  const [first] = shares;
  if (first === undefined || all === 0) return 'nobody did anything';
  return `the biggest part is ${first.name}'s, ${cores(first.cores)} (${percent(first.cores / all)})`;
}

function placements({ hosts }: Consolidation, look: Look): string[] {
  if (hosts === null || hosts.most.length === 1) return [];
  const named = (title: string, groups: readonly (readonly string[])[]): string[] =>
    wrap(`${title}: ${groups.map((names) => names.join(', ')).join(' | ')}`, look, 2);
  return [...named('On hosts at the least', hosts.least), ...named('On hosts at the most', hosts.most)];
}

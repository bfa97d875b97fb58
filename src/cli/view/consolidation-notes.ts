import { spanOf, unknownAt } from '../../capacity/consolidate.ts';
import type { Consolidation, MachinePlan, Wish } from '../../capacity/consolidate.ts';
import type { Machine } from '../../capacity/machine.ts';
import { DAY, STEP } from '../../capacity/resample.ts';
import { nanosOf } from '../../capacity/routing-cost.ts';
import type { KnownCost } from '../routing-cost.ts';
import { countdown } from '../time.ts';
import { count, list } from '../words.ts';
import { whole } from './cores.ts';
import { moment, timeOfDay } from './moment.ts';

/** What one must know to trust the figures, a sentence each. */
export function consolidationNotes(plan: Consolidation, wish: Wish, known: KnownCost): string[] {
  const machines = plan.machines.map(({ machine }) => machine);
  return [
    'DAY is the highest average of a day, 5 MIN the highest of five minutes; the other columns are what those were.',
    ...routingNotes(machines, known),
    ...iowaitNotes(plan.machines, wish),
    ...zoneNotes(machines),
    ...dayNotes(machines, wish),
    ...leftOut(plan, wish),
    ...machines.flatMap(machineNotes),
  ];
}

function routingNotes(machines: readonly Machine[], { cost, origin }: KnownCost): string[] {
  const without = machines
    .filter(({ buckets }) => buckets.every(({ packets }) => packets === null))
    .map(({ name }) => name);
  const not =
    without.length === 0
      ? []
      : [
          `No network statistics (-n DEV) of ${list(without)}: what directing those packets costs is not counted.`,
        ];
  if (without.length === machines.length) return not;
  const each = `${whole(nanosOf(cost))} ns a packet (${whole(cost.bridgeNanos)} bridging, ${whole(cost.directingNanos)} directing)`;
  return [`ROUTING is this host's own work: ${each}, ${origin}.`, ...not];
}

function iowaitNotes(plans: readonly MachinePlan[], { withIowait }: Wish): string[] {
  if (withIowait || plans.every(({ peak }) => peak.load.iowait < 0.05)) return [];
  return ['IOWAIT is shown and not counted: a core is free while it waits. --iowait counts it.'];
}

function zoneNotes(machines: readonly Machine[]): string[] {
  if (machines.every(({ zone }) => zone === 'UTC')) return [];
  return ['Times are local: all machines are taken to be in one time zone.'];
}

function dayNotes(machines: readonly Machine[], { byTimeOfDay }: Wish): string[] {
  if (byTimeOfDay)
    return [
      'Days are laid over each other: at each time of day a machine counts with the most that it needed then.',
    ];
  const odd = machines.filter(({ days }) => days.length < daysOf(machines).size);
  if (odd.length === 0) return [];
  return [`Not of all days: ${odd.map((each) => `${each.name} tells of ${spanOf(each)}`).join(', ')}.`];
}

const daysOf = (machines: readonly Machine[]): Set<number> =>
  new Set(machines.flatMap(({ days }) => days.map(({ at }) => at)));

function leftOut(plan: Consolidation, { byTimeOfDay }: Wish): string[] {
  const { peak } = plan.least;
  const names = unknownAt(plan, peak);
  if (names.length === 0 || peak.at === null) return [];
  const when = (byTimeOfDay ? timeOfDay : moment)(peak.at);
  return [`Nothing is known of ${list(names)} at ${when}: the least leaves it out, and may be too low.`];
}

function machineNotes({ name, every, restarts, unknown, days }: Machine): string[] {
  const longest = Math.max(...days.map(({ seconds }) => seconds));
  return [
    ...(every > STEP
      ? [`${name}: averages over ${countdown(every * 1000)}, so five minutes of it may have been higher.`]
      : []),
    ...(restarts > 0 || unknown > 0
      ? [
          `${name}: ${count(restarts, 'restart')}${unknown > 0 ? `, nothing is known of ${countdown(unknown * 1000)} in between` : ''}.`,
        ]
      : []),
    ...(longest < DAY * WHOLE
      ? [`${name}: no whole day; its daily average is of ${countdown(longest * 1000)}.`]
      : []),
  ];
}

/** Share of a day that may pass for all of it. */
const WHOLE = 0.9;

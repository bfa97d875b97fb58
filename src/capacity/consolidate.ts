import { groupBy } from '../lib/group.ts';
import { coresOf, plus, sumOf, NO_LOAD } from './load.ts';
import type { Load } from './load.ts';
import type { Machine } from './machine.ts';
import { place } from './place.ts';
import type { Need } from './place.ts';
import { DAY } from './resample.ts';
import type { Stretch } from './resample.ts';
import { coresFor } from './routing-cost.ts';
import type { RoutingCost } from './routing-cost.ts';

export interface Wish {
  /** Of a host that the machines are to become guests of. */
  readonly cores: number;
  /** Share of the host that is to stay free; 0 to below 1. */
  readonly reserve: number;
  readonly withIowait: boolean;
  /** Days are laid over each other: the same time of any day is one moment. */
  readonly byTimeOfDay: boolean;
  readonly cost: RoutingCost;
}

/** What was needed, when. */
export interface Moment {
  /** Seconds since the epoch (of midnight, by time of day); the begin of the five minutes or of the day. */
  readonly at: number;
  readonly load: Load;
  /** All that counts of the load. */
  readonly cores: number;
  readonly packets: number | null;
}

export interface Share {
  readonly name: string;
  readonly cores: number;
}

/** Several machines together. */
export interface Together {
  /** Null where each has a moment of its own. */
  readonly at: number | null;
  readonly load: Load;
  readonly cores: number;
  /** Who needs how much of it; the biggest first. */
  readonly shares: readonly Share[];
}

export interface MachinePlan {
  readonly machine: Machine;
  readonly peak: Moment;
  /** Of the day whose average is the highest. */
  readonly average: Moment;
}

export interface Consolidation {
  readonly machines: readonly MachinePlan[];
  /** The peak of the sum, and the highest daily average of the sum: peaks that never meet are not added. */
  readonly least: { readonly peak: Together; readonly average: Together };
  /** The sums of each one's highest: as if all met. */
  readonly most: { readonly peak: Together; readonly average: Together };
  /** Cores of a host without its reserve. */
  readonly usable: number;
  /** Who goes on which host; null where somebody fits on none. */
  readonly hosts: { readonly least: readonly string[][]; readonly most: readonly string[][] } | null;
  /** Machines that need more than one host gives. */
  readonly tooBig: readonly string[];
}

/** Whether there is a day of which something is known of every machine. */
export function haveCommonDay(machines: readonly Machine[]): boolean {
  const [first, ...others] = machines.map(({ days }) => new Set(days.map(({ at }) => at)));
  return [...(first ?? [])].some((at) => others.every((days) => days.has(at)));
}

/** `2026-11-20` or `2026-11-20 to 2026-11-23`. */
export function spanOf({ days }: Machine): string {
  const first = dateOf(days[0]?.at ?? 0);
  const last = dateOf(days.at(-1)?.at ?? 0);
  return first === last ? first : `${first} to ${last}`;
}

const dateOf = (at: number): string => new Date(at * 1000).toISOString().slice(0, 10);

/** `machines`: at least one. */
export function consolidate(machines: readonly Machine[], wish: Wish): Consolidation {
  const all = machines.map((machine) => demandOf(machine, wish));
  const usable = wish.cores * (1 - wish.reserve);
  const plans = all.map(({ machine, buckets, days }): MachinePlan => {
    return { machine, peak: highest(buckets), average: highest(days) };
  });
  const averages = apart(plans.map(({ machine, average }) => [machine.name, average]));
  const peaks = apart(plans.map(({ machine, peak }) => [machine.name, peak]));
  return {
    machines: plans,
    least: {
      peak: meeting(all.map(({ machine, buckets }) => [machine.name, buckets])),
      // Days that are laid over each other cannot be told apart: each brings its highest.
      average: wish.byTimeOfDay ? averages : meeting(all.map(({ machine, days }) => [machine.name, days])),
    },
    most: { peak: peaks, average: averages },
    usable,
    ...hostsFor(all, usable),
  };
}

interface Demand {
  readonly machine: Machine;
  readonly buckets: readonly Moment[];
  readonly days: readonly Moment[];
}

function demandOf(machine: Machine, wish: Wish): Demand {
  const moment = (stretch: Stretch): Moment => momentOf(stretch, wish);
  const buckets = machine.buckets.map(moment);
  return {
    machine,
    buckets: wish.byTimeOfDay ? laidOver(buckets) : buckets,
    days: machine.days.map(moment),
  };
}

function momentOf({ at, load, packets }: Stretch, { cost, withIowait }: Wish): Moment {
  const routing = coresFor(cost, packets ?? 0);
  const whole = plus(load, { ...NO_LOAD, routing });
  return { at, load: whole, cores: coresOf(whole, withIowait), packets };
}

/** Of each time of day, the day on which the machine needed most. */
const laidOver = (buckets: readonly Moment[]): Moment[] =>
  [...groupBy(buckets, ({ at }) => at % DAY)].map(([at, same]) => ({ ...highest(same), at }));

const highest = (moments: readonly Moment[]): Moment =>
  moments.reduce((a, b) => (b.cores > a.cores || (b.cores === a.cores && b.at < a.at) ? b : a));

type Named<What> = readonly (readonly [name: string, what: What])[];

function apart(moments: Named<Moment>): Together {
  return { at: null, ...added(moments) };
}

/** The moment at which all together need most. Who is not known then adds nothing. */
function meeting(series: Named<readonly Moment[]>): Together {
  const all = series.flatMap(([name, moments]) => moments.map((moment) => [name, moment] as const));
  const sums = [...groupBy(all, ([, { at }]) => at)].map(([at, met]) => ({
    at,
    met,
    cores: met.reduce((sum, [, { cores }]) => sum + cores, 0),
  }));
  const top = sums.reduce((a, b) => (b.cores > a.cores || (b.cores === a.cores && b.at < a.at) ? b : a));
  return { at: top.at, ...added(top.met) };
}

function added(moments: Named<Moment>): Omit<Together, 'at'> {
  const shares = moments
    .map(([name, { cores }]): Share => ({ name, cores }))
    .toSorted((a, b) => b.cores - a.cores || (a.name < b.name ? -1 : 1));
  return {
    load: sumOf(moments.map(([, { load }]) => load)),
    cores: moments.reduce((sum, [, { cores }]) => sum + cores, 0),
    shares,
  };
}

function hostsFor(all: readonly Demand[], usable: number): Pick<Consolidation, 'hosts' | 'tooBig'> {
  const overTime = all.map(({ machine, buckets }): Need => {
    return { name: machine.name, series: new Map(buckets.map(({ at, cores }) => [at, cores])) };
  });
  const byPeaks = all.map(({ machine, buckets }): Need => {
    return { name: machine.name, series: new Map([[0, highest(buckets).cores]]) };
  });
  const tooBig = all
    .filter(({ buckets }) => highest(buckets).cores > usable)
    .map(({ machine }) => machine.name);
  if (tooBig.length > 0) return { hosts: null, tooBig };
  const most = place(byPeaks, usable);
  const least = place(overTime, usable);
  // What holds when all peaks meet holds when they do not.
  return { hosts: { least: least.length < most.length ? least : most, most }, tooBig };
}

/** Machines of which nothing is known at that moment, though they count as nothing there. */
export function unknownAt({ machines }: Consolidation, { at, shares }: Together): string[] {
  if (at === null) return [];
  return machines
    .map(({ machine }) => machine.name)
    .filter((name) => shares.every((share) => share.name !== name));
}

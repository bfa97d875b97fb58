import { setImmediate } from 'node:timers/promises';
import type { Finding } from '../doctor/finding.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { readSysctl } from '../kernel/sysctl.ts';
import type { Clock } from '../lib/clock.ts';
import { inTurns } from '../lib/turn.ts';
import type { Meter } from '../meter/report.ts';
import { FAMILIES } from '../model/address.ts';
import { encodeMark } from '../model/mark.ts';
import type { HealthReport } from '../model/records.ts';
import type { Domu, Protocol } from '../model/service.ts';
import type { Role, ServiceState, Slot } from '../model/state.ts';
import { domuOf, liveRole, liveSlot, otherSlot, slotOf } from '../model/state.ts';
import type { Counter } from '../plan/names.ts';
import { COUNTERS } from '../plan/names.ts';
import type { Engine, Monitored } from '../switchover/engine.ts';
import { readCounters, totalOf } from './counters.ts';
import type { Counters } from './counters.ts';
import { DarkWatch, directedTesters } from './dark-watch.ts';
import { LastTimes } from './last-times.ts';
import type { Metrics } from './metrics.ts';
import type { DomuMetrics, MetricsSnapshot, ServiceMetrics } from './snapshot.ts';

/** Listens; nothing else tells the metrics what happens. */
export function followEngine(metrics: Metrics, { events }: Engine, clock: Clock): void {
  events.on('flip', ({ micros }) => metrics.flipped(micros));
  events.on('outcome', ({ state, cause }) => {
    metrics.switchEnded(state === 'rolled-back' ? 'rolled_back' : state);
    if (state === 'rolled-back' || state === 'expired' || state === 'failed') metrics.rolledBack(cause);
  });
  events.on('held', ({ cause }) => metrics.held(cause));
  events.on('journal', ({ kind }) => metrics.journalled(kind));
  events.on('reconcile-failed', () => metrics.reconcileFailed());
  events.on('undisturbed', () => metrics.asItShouldBe(clock.now()));
  events.on('reconciled', ({ seconds, operations, repair }) => {
    metrics.reconciled(seconds);
    metrics.asItShouldBe(clock.now());
    if (repair) for (const { kind } of operations) metrics.repaired(kind);
  });
}

export interface Sources {
  readonly engine: Engine;
  readonly kernel: Kernel;
  readonly clock: Clock;
  /** Null where nothing measures what routing costs. */
  readonly meter: () => Meter | null;
  /** Null until the host has been looked at. */
  readonly doctor: () => readonly Finding[] | null;
}

/**
 * Answers what takes one moment of everything that is rendered at a scrape. The state of all services is taken at
 * once; what the kernel has counted is read before.
 */
export function snapshotter({
  engine,
  kernel,
  clock,
  meter,
  doctor,
}: Sources): () => Promise<MetricsSnapshot> {
  const dark = new DarkWatch(engine, kernel, clock);
  const times = new LastTimes(engine);
  const tallies = new Tallies();
  return async () => {
    const counted = await allCounters(kernel);
    const flows = await countFlows(engine, kernel);
    const counters = { ...counted, new: await dark.look({ open: flows }) };
    // Which may have taken most of a turn.
    await setImmediate();
    const monitored = engine.monitored();
    const drains = endsOf(monitored.drains);
    tallies.take(counters);
    const seen = { engine, tallies, flows, dark, times, monitored, drains };
    const states = engine.states();
    await setImmediate();
    return {
      ready: engine.readiness().ready,
      writable: monitored.writable,
      conntrack: conntrackOf(),
      doctor: doctor(),
      xenAnswers: monitored.xenAnswers,
      services: await inTurns(states, (state) => serviceMetrics(state, seen)),
      cpu: meter()?.report() ?? null,
    };
  };
}

type Counted = ReadonlyMap<number, number>;

/** By our part of their mark; none where the kernel refuses to tell. */
const countFlows = ({ config }: Engine, kernel: Kernel): Promise<Counted> =>
  kernel.countFlows(config.markMask).catch(() => new Map<number, number>());

type AllCounters = Readonly<Record<Counter, Counters>>;

async function allCounters(kernel: Kernel): Promise<Omit<AllCounters, 'new'>> {
  const read: [Counter, Counters][] = [];
  for (const name of COUNTERS) if (name !== 'new') read.push([name, await readCounters(kernel, name)]);
  return Object.fromEntries(read) as Omit<AllCounters, 'new'>;
}

/** Of this network namespace (linux Documentation/networking/nf_conntrack-sysctl.rst). */
function conntrackOf(): MetricsSnapshot['conntrack'] {
  const [entries, limit] = ['count', 'max'].map((what) => readSysctl(`net/netfilter/nf_conntrack_${what}`));
  return entries == null || limit == null ? null : { entries: Number(entries), limit: Number(limit) };
}

/** What the kernel counted of a DomU; null where it does not count. */
type Tally = Pick<DomuMetrics, 'in' | 'out' | 'opened' | 'resets' | 'refused'>;

/** Of thousands of DomUs, as long as nothing is counted: what was made of them stays. */
class Tallies {
  #counters: AllCounters | null = null;
  #made = new Map<Domu, Tally>();

  take(counters: AllCounters): void {
    const known = this.#counters;
    const isSame = (name: Counter): boolean =>
      FAMILIES.every((family) => known?.[name][family] === counters[name][family]);
    if (!COUNTERS.every(isSame)) this.#made = new Map();
    this.#counters = counters;
  }

  of(domu: Domu): Tally {
    const known = this.#made.get(domu);
    if (known !== undefined || this.#counters === null) return known ?? UNCOUNTED;
    const { in: received, out, new: opened, resets, refused } = this.#counters;
    const made = {
      in: totalOf(domu, received),
      out: totalOf(domu, out),
      opened: totalOf(domu, opened)?.packets ?? null,
      resets: totalOf(domu, resets)?.packets ?? null,
      refused: totalOf(domu, refused)?.packets ?? null,
    };
    this.#made.set(domu, made);
    return made;
  }
}

const UNCOUNTED: Tally = { in: null, out: null, opened: null, resets: null, refused: null };

interface Seen {
  readonly tallies: Tallies;
  readonly flows: Counted;
  readonly engine: Engine;
  readonly dark: DarkWatch;
  readonly times: LastTimes;
  readonly monitored: Monitored;
  readonly drains: ReadonlyMap<string, number>;
}

/** The first end of each drain, by service and slot. */
function endsOf(drains: Monitored['drains']): Map<string, number> {
  const ends = new Map<string, number>();
  for (const { service, slot, until } of drains) {
    const key = drainKey(service, slot);
    ends.set(key, Math.min(until, ends.get(key) ?? until));
  }
  return ends;
}

const drainKey = (service: string, slot: Slot): string => `${service} ${slot}`;

function serviceMetrics(state: ServiceState, seen: Seen): ServiceMetrics {
  const { name } = state.service;
  const old = otherSlot(liveSlot(state));
  return {
    name,
    live: liveRole(state),
    trial: state.trial !== null,
    trialDeadline: state.trial?.confirmBy ?? null,
    testing: state.testing === 'open',
    held: state.heldUntil !== null,
    testers: state.testers.length,
    oldestTester: state.testers.length === 0 ? null : (seen.monitored.oldestEnrolments.get(name) ?? null),
    misdirected: seen.dark.misdirected(name),
    draining: drainingOf(state, old, seen),
    drainUntil: seen.drains.get(drainKey(name, old)) ?? null,
    marked: seen.times.of(name),
    domus: (['primary', 'secondary'] as const).map((role) => domuMetrics(state, role, seen)),
  };
}

function drainingOf(state: ServiceState, old: Slot, seen: Seen): ServiceMetrics['draining'] {
  if (directedTesters(state).length > 0) return null;
  return { domu: state.slots[old].name, flows: flowsOf(state, old, seen) };
}

function flowsOf({ id }: ServiceState, slot: Slot, { flows, monitored: { markMask } }: Seen): number {
  const count = (protocol: Protocol): number => flows.get(encodeMark({ id, slot, protocol }, markMask)) ?? 0;
  return count('tcp') + count('udp');
}

function domuMetrics(state: ServiceState, role: Role, seen: Seen): DomuMetrics {
  const { tallies, engine } = seen;
  const domu = domuOf(state, role);
  return {
    domu: domu.name,
    role,
    healthy: isHealthy(engine.health(state.service.name, domu.name)),
    domain: engine.domain(state.service.name, domu.name),
    flows: flowsOf(state, slotOf(state, role), seen),
    ...tallies.of(domu),
  };
}

function isHealthy({ status }: HealthReport): boolean | null {
  return status === 'unknown' ? null : status !== 'unhealthy';
}

import { setImmediate } from 'node:timers/promises';
import type { Kernel } from '../kernel/kernel.ts';
import { readSysctl } from '../kernel/sysctl.ts';
import type { Clock } from '../lib/clock.ts';
import type { Meter } from '../meter/report.ts';
import type { HealthReport, ServiceSnapshot } from '../model/records.ts';
import type { Role, Slot } from '../model/state.ts';
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
  /** Null until the director is ready. */
  readonly meter: () => Meter | null;
}

/** Answers what takes one moment of everything that is rendered at a scrape. */
export function snapshotter({ engine, kernel, clock, meter }: Sources): () => Promise<MetricsSnapshot> {
  const dark = new DarkWatch(engine, kernel, clock);
  const times = new LastTimes(engine);
  return async () => {
    const [services, counted] = await Promise.all([engine.services(), allCounters(kernel)]);
    const counters = { ...counted, new: await dark.look({ closely: true }) };
    const monitored = engine.monitored();
    const seen = { counters, dark, times, monitored, drains: endsOf(monitored.drains) };
    return {
      ready: engine.readiness().ready,
      writable: monitored.writable,
      conntrack: conntrackOf(),
      services: await inTurns(services, (snapshot) => serviceMetrics(snapshot, seen)),
      cpu: meter()?.report() ?? null,
    };
  };
}

/** So many services at a time, then others have their turn. */
const AT_A_TIME = 100;

async function inTurns<From, To>(items: readonly From[], make: (item: From) => To): Promise<To[]> {
  const made: To[] = [];
  for (const item of items) {
    made.push(make(item));
    if (made.length % AT_A_TIME === 0) await setImmediate();
  }
  return made;
}

type AllCounters = Readonly<Record<Counter, Counters>>;

async function allCounters(kernel: Kernel): Promise<Omit<AllCounters, 'new'>> {
  const others = COUNTERS.filter((counter) => counter !== 'new');
  const read = await Promise.all(
    others.map(async (name) => [name, await readCounters(kernel, name)] as const),
  );
  return Object.fromEntries(read) as Omit<AllCounters, 'new'>;
}

/** Of this network namespace (linux Documentation/networking/nf_conntrack-sysctl.rst). */
function conntrackOf(): MetricsSnapshot['conntrack'] {
  const [entries, limit] = ['count', 'max'].map((what) => readSysctl(`net/netfilter/nf_conntrack_${what}`));
  return entries == null || limit == null ? null : { entries: Number(entries), limit: Number(limit) };
}

interface Seen {
  readonly counters: AllCounters;
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

function serviceMetrics(snapshot: ServiceSnapshot, seen: Seen): ServiceMetrics {
  const { state } = snapshot;
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
    draining: drainingOf(snapshot, old),
    drainUntil: seen.drains.get(drainKey(name, old)) ?? null,
    marked: seen.times.of(name),
    domus: (['primary', 'secondary'] as const).map((role) => domuMetrics(snapshot, role, seen.counters)),
  };
}

function drainingOf({ state, flows }: ServiceSnapshot, old: Slot): ServiceMetrics['draining'] {
  if (directedTesters(state).length > 0) return null;
  return { domu: state.slots[old].name, flows: flows[old] };
}

function domuMetrics(
  { state, health, flows }: ServiceSnapshot,
  role: Role,
  counters: AllCounters,
): DomuMetrics {
  const slot = slotOf(state, role);
  const domu = domuOf(state, role);
  return {
    domu: domu.name,
    role,
    healthy: isHealthy(health[slot]),
    flows: flows[slot],
    in: totalOf(domu, counters.in),
    out: totalOf(domu, counters.out),
    opened: totalOf(domu, counters.new)?.packets ?? null,
    resets: totalOf(domu, counters.resets)?.packets ?? null,
    refused: totalOf(domu, counters.refused)?.packets ?? null,
  };
}

function isHealthy({ status }: HealthReport): boolean | null {
  return status === 'unknown' ? null : status !== 'unhealthy';
}

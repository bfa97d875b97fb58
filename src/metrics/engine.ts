import type { Kernel, Traffic } from '../kernel/kernel.ts';
import type { HealthReport, ServiceSnapshot } from '../model/records.ts';
import type { Domu } from '../model/service.ts';
import type { Role } from '../model/state.ts';
import { domuOf, liveRole, slotOf } from '../model/state.ts';
import type { Engine } from '../switchover/engine.ts';
import type { Metrics } from './metrics.ts';
import type { DomuMetrics, MetricsSnapshot, ServiceMetrics } from './snapshot.ts';

/** Listens; nothing else tells the metrics what happens. */
export function followEngine(metrics: Metrics, { events }: Engine): void {
  events.on('flip', ({ micros }) => metrics.flipped(micros));
  events.on('outcome', ({ state }) => metrics.switchEnded(state === 'rolled-back' ? 'rolled_back' : state));
  events.on('journal', ({ kind }) => metrics.journalled(kind));
  events.on('reconcile-failed', () => metrics.reconcileFailed());
  events.on('reconciled', ({ seconds, operations, repair }) => {
    metrics.reconciled(seconds);
    if (repair) for (const { kind } of operations) metrics.repaired(kind);
  });
}

type Counters = ReadonlyMap<string, Traffic>;

/** One moment of everything that has a series of its own. */
export async function snapshotOf(engine: Engine, kernel: Kernel): Promise<MetricsSnapshot> {
  const [services, incoming, outgoing] = await Promise.all([
    engine.services(),
    bothFamilies(kernel, 'dir-in'),
    bothFamilies(kernel, 'dir-out'),
  ]);
  return {
    ready: engine.readiness().ready,
    services: services.map((snapshot) => serviceMetrics(snapshot, incoming, outgoing)),
  };
}

/** A set that does not exist counts nothing: no service uses its family. */
async function bothFamilies(kernel: Kernel, set: string): Promise<Counters> {
  const [four, six] = await Promise.all(
    [set, `${set}6`].map((name) => kernel.counters(name).catch((): Counters => new Map())),
  );
  return new Map([...(four ?? []), ...(six ?? [])]);
}

function serviceMetrics(snapshot: ServiceSnapshot, incoming: Counters, outgoing: Counters): ServiceMetrics {
  const { state } = snapshot;
  return {
    name: state.service.name,
    live: liveRole(state),
    trial: state.trial !== null,
    trialDeadline: state.trial?.confirmBy ?? null,
    testing: state.testing === 'open',
    held: state.heldUntil !== null,
    testers: state.testers.length,
    domus: (['primary', 'secondary'] as const).map((role) => domuMetrics(snapshot, role, incoming, outgoing)),
  };
}

function domuMetrics(
  { state, health, flows }: ServiceSnapshot,
  role: Role,
  incoming: Counters,
  outgoing: Counters,
): DomuMetrics {
  const slot = slotOf(state, role);
  const domu = domuOf(state, role);
  return {
    domu: domu.name,
    role,
    healthy: isHealthy(health[slot]),
    flows: flows[slot],
    in: sum(domu, incoming),
    out: sum(domu, outgoing),
  };
}

function isHealthy({ status }: HealthReport): boolean | null {
  return status === 'unknown' ? null : status !== 'unhealthy';
}

function sum({ addresses }: Domu, counters: Counters): Traffic | null {
  const found = addresses.flatMap(({ text }) => counters.get(text) ?? []);
  if (found.length === 0) return null;
  return found.reduce((a, b) => ({ packets: a.packets + b.packets, bytes: a.bytes + b.bytes }));
}

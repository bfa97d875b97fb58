import { Registry, collectDefaultMetrics } from 'prom-client';
import { SerialQueue } from '../lib/queue.ts';
import { Turn, inTurns } from '../lib/turn.ts';
import type { Operation } from '../model/operation.ts';
import type { JournalKind } from '../model/records.ts';
import { cpuFamilies, flowLabels } from './cpu-families.ts';
import { hostFamilies } from './host-families.ts';
import { newRecorders } from './recorders.ts';
import type { HoldCause, Recorders, RollbackCause, SwitchOutcome } from './recorders.ts';
import { ServiceLabels, serviceFamilies } from './service-families.ts';
import type { MetricsSnapshot } from './snapshot.ts';
import { renderFamily } from './text-format.ts';
import type { Family } from './text-format.ts';

/** Gauges of prom-client that are named like counters, which promtool refuses; the same is there by type without `_total`. */
const MISNAMED = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

/**
 * prom-client's quantiles of the event loop's delay need a timer that wakes the process a hundred times a second, which
 * costs more than all of the director's own watching. nodejs_eventloop_lag_seconds, measured at each scrape, stays.
 */
const WAKING = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(
  (what) => `nodejs_eventloop_lag_${what}_seconds`,
);
/** The timer's period, in milliseconds: the longest that there is (2^31 - 1). */
const NEVER = 2 ** 31 - 1;

/** `parts`: one after another they are the text. */
export interface Rendered {
  readonly contentType: string;
  readonly parts: readonly Buffer[];
}

/**
 * All metrics. What happens is counted by prom-client, together with the process's own metrics; what is known of each
 * service is rendered from one snapshot (prom-client takes 120 ms for 50,000 series).
 */
export class Metrics {
  readonly #queue = new SerialQueue();
  readonly #registry = new Registry();
  readonly #recorders: Recorders;
  readonly #snapshot: () => Promise<MetricsSnapshot>;
  readonly #services = new ServiceLabels();
  readonly #flows = flowLabels();
  /** The scrape that waits for its turn. */
  #next: Promise<Rendered> | null = null;

  constructor(options: { version: string; snapshot: () => Promise<MetricsSnapshot> }) {
    this.#snapshot = options.snapshot;
    this.#recorders = newRecorders(this.#registry, options.version);
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: NEVER });
    for (const name of [...MISNAMED, ...WAKING]) this.#registry.removeSingleMetric(name);
  }

  /** Once as `trial` when the switch has happened, once as what ended it; or once as `failed` or `refused`. */
  switchEnded(outcome: SwitchOutcome): void {
    this.#recorders.switches.inc({ outcome });
  }

  rolledBack(cause: RollbackCause): void {
    this.#recorders.rollbacks.inc({ cause });
  }

  held(cause: HoldCause): void {
    this.#recorders.holds.inc({ cause });
  }

  flipped(micros: number): void {
    this.#recorders.flip.observe(micros / 1_000_000);
  }

  reconciled(seconds: number): void {
    this.#recorders.reconcile.observe(seconds);
  }

  /** The kernel was found, or made, what it should be. Milliseconds since the epoch. */
  asItShouldBe(at: number): void {
    this.#recorders.lastSuccess.set(at / 1000);
  }

  reconcileFailed(): void {
    this.#recorders.reconcileErrors.inc();
  }

  repaired(kind: Operation['kind']): void {
    this.#recorders.repairs.inc({ kind });
  }

  journalled(kind: JournalKind): void {
    this.#recorders.journal.inc({ kind });
  }

  /**
   * In the Prometheus text format, in parts. Without the snapshot's series where it cannot be had: that is counted. One
   * scrape after another: several at once would each have their part of every turn. Those who wait for their turn at
   * the same time are given the same answer.
   */
  render(): Promise<Rendered> {
    this.#next ??= this.#queue.run(() => {
      this.#next = null;
      return this.#render();
    });
    return this.#next;
  }

  async #render(): Promise<Rendered> {
    const rendered = await this.#renderSnapshot();
    const own = Buffer.from(await this.#registry.metrics());
    return { contentType: this.#registry.contentType, parts: [own, ...rendered] };
  }

  async #renderSnapshot(): Promise<Buffer[]> {
    try {
      return await renderInTurns(await this.#families(await this.#snapshot()));
    } catch {
      this.#recorders.snapshotErrors.inc();
      return [];
    }
  }

  async #families(snapshot: MetricsSnapshot): Promise<Iterable<Family>> {
    const services = await inTurns(snapshot.services, (service) => this.#services.of(service));
    const { cpu } = snapshot;
    const flows = await inTurns(cpu?.flows ?? [], (flow) => ({ flow, labels: this.#flows.of(flow) }));
    this.#services.sweep();
    this.#flows.sweep();
    return (function* () {
      yield* hostFamilies(snapshot);
      yield* serviceFamilies(services);
      if (cpu !== null) yield* cpuFamilies(cpu, flows);
    })();
  }
}

/** A switch must not wait for a scrape of thousands of services. */
async function renderInTurns(families: Iterable<Family>): Promise<Buffer[]> {
  const turn = new Turn();
  const text: Buffer[] = [];
  for (const family of families) {
    for (const piece of renderFamily(family)) {
      if (piece !== '') text.push(Buffer.from(piece));
      if (turn.isOver) await turn.pass();
    }
  }
  return text;
}

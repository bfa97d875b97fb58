import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Gauge, Measurement, Ports } from './gauge.ts';
import { NOTHING } from './gauge.ts';
import type { MeterMode } from './report.ts';

/** A way of measuring that may not work here, or not now. */
export interface Candidate {
  readonly mode: MeterMode;
  /** Throws with the reason, in words. */
  open(): Promise<Gauge>;
}

interface Standing {
  readonly candidate: Candidate;
  gauge: Gauge | null;
  /** Why it is not used; null: nothing has kept it from being used yet. */
  reason: string | null;
  retryAt: number;
  delay: number;
}

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 300_000;

/**
 * Uses the first of the candidates that works. One that fails is left for the next at once, and tried again after one
 * second, then two, four and so on up to five minutes.
 */
export class GaugeChoice {
  readonly #standings: readonly Standing[];
  readonly #why: string;
  readonly #clock: Clock;
  readonly #log: (level: 'info' | 'warn', text: string) => void;
  #current: MeterMode | null = null;
  #failures = 0;

  /** `why`: why not even the first candidate is the truest way; empty where it is. */
  constructor(
    candidates: readonly Candidate[],
    why: string,
    { clock, log }: { clock: Clock; log: (level: 'info' | 'warn', text: string) => void },
  ) {
    this.#standings = candidates.map((candidate) => ({
      candidate,
      gauge: null,
      reason: null,
      retryAt: 0,
      delay: FIRST_DELAY_MS,
    }));
    this.#why = why;
    this.#clock = clock;
    this.#log = log;
  }

  get state(): { readonly mode: MeterMode; readonly why: string } {
    const at = this.#standings.findIndex(({ candidate: { mode } }) => mode === this.#current);
    const passed = this.#standings.slice(0, Math.max(at, 0));
    const reasons = passed.flatMap(({ candidate: { mode }, reason }) =>
      reason === null ? [] : [`${mode}: ${reason}`],
    );
    return { mode: this.#current ?? 'model', why: [this.#why, ...reasons].filter(Boolean).join('; ') };
  }

  /** Measurements that failed, and fell back. */
  get failures(): number {
    return this.#failures;
  }

  async measure(ports: Ports): Promise<Measurement> {
    for (const standing of this.#standings) {
      const measured = await this.#try(standing, ports);
      if (measured === null) continue;
      this.#use(standing.candidate.mode);
      return measured;
    }
    return NOTHING;
  }

  async close(): Promise<void> {
    for (const standing of this.#standings) await this.#shut(standing);
  }

  async #try(standing: Standing, ports: Ports): Promise<Measurement | null> {
    if (standing.gauge === null && this.#clock.now() < standing.retryAt) return null;
    try {
      standing.gauge ??= await standing.candidate.open();
      const measured = await standing.gauge.measure(ports);
      standing.reason = null;
      standing.delay = FIRST_DELAY_MS;
      return measured;
    } catch (error) {
      await this.#fail(standing, messageOf(error));
      return null;
    }
  }

  async #fail(standing: Standing, reason: string): Promise<void> {
    if (standing.gauge !== null) this.#failures++;
    await this.#shut(standing);
    standing.reason = reason;
    standing.retryAt = this.#clock.now() + standing.delay;
    standing.delay = Math.min(standing.delay * 2, LONGEST_DELAY_MS);
  }

  async #shut(standing: Standing): Promise<void> {
    const { gauge } = standing;
    standing.gauge = null;
    await gauge?.close().catch(() => undefined);
  }

  #use(mode: MeterMode): void {
    if (mode === this.#current) return;
    this.#current = mode;
    // A truer way that works (again) makes those after it needless.
    const at = this.#standings.findIndex(({ candidate }) => candidate.mode === mode);
    for (const standing of this.#standings.slice(at + 1)) void this.#shut(standing);
    const { why } = this.state;
    this.#log('info', `CPU costs are measured by: ${mode}${why === '' ? '' : ` (${why})`}`);
  }
}

import type { Measurement } from './gauge.ts';
import { networkSoftirqs } from './host.ts';

/** What earlier windows weigh at each: the mean follows the load, and one with little to time does not upset it. */
const KEPT = 0.5;

/**
 * CPU time in network softirqs: those of the windows are timed, and the kernel counts all of them, so all are taken to
 * have lasted as long as those that were timed lately. Those before the first window, since the meter began, too.
 */
export class SoftirqAccount {
  readonly #count: () => number | null;
  #counted: number | null;
  #timed = { nanos: 0, runs: 0 };
  #seconds: number | null = null;
  #why = 'none was timed yet: that is done while packets are, in the modes windows and always';

  /** `count`: how many there were since boot, null where that is not known. */
  constructor(count: () => number | null = networkSoftirqs) {
    this.#count = count;
    this.#counted = count();
  }

  note(measured: Measurement['softirq']): void {
    if (measured !== null && 'refused' in measured) this.#why = measured.refused;
    else if (measured !== null && measured.runs > 0) {
      this.#timed = {
        nanos: this.#timed.nanos * KEPT + measured.nanos,
        runs: this.#timed.runs * KEPT + measured.runs,
      };
    }
    this.#charge();
  }

  /** Seconds since the meter began; null with the reason, in words. */
  get state(): { readonly exactSeconds: number | null; readonly why: string } {
    return { exactSeconds: this.#seconds, why: this.#seconds === null ? this.#why : '' };
  }

  #charge(): void {
    if (this.#timed.runs === 0) return;
    const now = this.#count();
    if (now === null || this.#counted === null) {
      this.#why = 'the kernel does not count them (/proc/softirqs)';
      return;
    }
    const mean = this.#timed.nanos / this.#timed.runs;
    this.#seconds = (this.#seconds ?? 0) + (Math.max(now - this.#counted, 0) * mean) / 1e9;
    this.#counted = now;
  }
}

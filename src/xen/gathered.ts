import type { Clock } from '../lib/clock.ts';

/**
 * A job for whatever is told: what comes within `ms` milliseconds is one of it, and what comes while it is done is one
 * more after it. The job must not reject.
 */
export class Gathered {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #job: () => Promise<void>;
  #cancel: (() => void) | null = null;
  #busy = false;
  #told = 0;
  #closed = false;

  constructor(clock: Clock, ms: number, job: () => Promise<void>) {
    this.#clock = clock;
    this.#ms = ms;
    this.#job = job;
  }

  tell(): void {
    this.#told++;
    if (!this.#busy && !this.#closed) this.#cancel ??= this.#clock.after(this.#ms, () => void this.#run());
  }

  /** What is told from now on is nobody's business. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  async #run(): Promise<void> {
    this.#cancel = null;
    this.#busy = true;
    const before = this.#told;
    await this.#job();
    this.#busy = false;
    if (this.#told !== before) this.tell();
  }
}

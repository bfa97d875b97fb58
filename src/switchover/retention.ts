import type { Context } from './context.ts';

/** How often it is looked whether anything is old enough to go; milliseconds. */
const EVERY_MS = 3_600_000;
/** So many entries go in one transaction: a few milliseconds that a switch may have to wait for. */
const STEP = 200;
const BETWEEN_STEPS_MS = 100;
/** Answers to idempotency keys are kept for a day. */
export const ANSWERS_MS = 86_400_000;

/**
 * Forgets entries of the journal, and switches that have ended, when they are older than the configuration keeps them:
 * oldest first, a few at a time, each in its turn of the queue and never in the middle of a switch.
 */
export class Retention {
  readonly #context: Context;
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(context: Context) {
    this.#context = context;
  }

  start(): void {
    this.#after(BETWEEN_STEPS_MS);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #after(ms: number): void {
    if (!this.#stopped) this.#cancel = this.#context.clock.after(ms, () => void this.#step());
  }

  async #step(): Promise<void> {
    let gone = 0;
    try {
      await this.#context.queue.run(() => {
        if (!this.#stopped) gone = forget(this.#context);
        return Promise.resolve();
      });
    } catch {
      // A disk that takes nothing is told by the watch; there is time.
    }
    this.#after(gone > 0 ? BETWEEN_STEPS_MS : EVERY_MS);
  }
}

/** One step; answers how much of the journal is gone. */
function forget({ store, clock, config }: Context): number {
  const now = clock.now();
  const keep = config.journalKeep;
  return store.write(() => {
    store.forgetAnswers(now - ANSWERS_MS);
    if (keep === null) return 0;
    // Whoever ends a trial wants to read how it began, however long ago that was.
    const open = [...store.trials(), ...store.draining()].map(({ requestedAt }) => requestedAt);
    store.forgetStages(now - keep);
    return store.forgetHistory(Math.min(now - keep, ...open), STEP);
  });
}

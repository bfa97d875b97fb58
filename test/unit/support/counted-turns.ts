import { setImmediate } from 'node:timers/promises';
import { vi } from 'vitest';

/**
 * Counts what work does between two turns of the event loop that others have. For whoever asks while it is under way a
 * millisecond has passed with each asking, so that the machine's speed is no matter.
 */
export class CountedTurns {
  all = 0;
  mostAtOnce = 0;
  #now = 0;
  #sinceTurn = 0;

  /** The same function, whose calls count. */
  counted<Args extends unknown[], Result>(work: (...args: Args) => Result): (...args: Args) => Result {
    return (...args) => {
      this.#count();
      return work(...args);
    };
  }

  /** The same object; reading this property of it counts. */
  counting<T extends object>(object: T, property: keyof T): T {
    const value = object[property];
    return Object.defineProperty({ ...object }, property, { get: this.counted(() => value) });
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => ++this.#now);
    let done = false;
    const working = work().finally(() => (done = true));
    const isDone = (): boolean => done;
    try {
      while (!isDone()) {
        await setImmediate();
        this.#sinceTurn = 0;
      }
      return await working;
    } finally {
      clock.mockRestore();
    }
  }

  #count(): void {
    this.all++;
    this.#sinceTurn++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#sinceTurn);
  }
}

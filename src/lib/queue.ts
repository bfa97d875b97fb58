/** Runs jobs one after another, in the order in which they came. A job that fails does not stop the next. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #ended = 0;

  /** With the one that is under way. */
  get waiting(): number {
    return this.#waiting;
  }

  /** How many have ended so far, whichever way. */
  get ended(): number {
    return this.#ended;
  }

  run<T>(job: () => Promise<T> | T): Promise<T> {
    this.#waiting++;
    const result = this.#tail.then(job).finally(() => {
      this.#waiting--;
      this.#ended++;
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Resolves when everything that was in the queue by now has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}

/** Runs jobs one after another, in the order in which they came. A job that fails does not stop the next. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  get waiting(): number {
    return this.#waiting;
  }

  run<T>(job: () => Promise<T> | T): Promise<T> {
    this.#waiting++;
    const result = this.#tail.then(job).finally(() => this.#waiting--);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Resolves when everything that was in the queue by now has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}

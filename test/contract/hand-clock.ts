import type { Clock } from '../../src/lib/clock.ts';

/** A clock that goes on only when it is told to. */
export class HandClock implements Clock {
  #now = Date.UTC(2030, 0, 1);
  #waiting: { readonly at: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const entry = { at: this.#now + ms, callback };
    this.#waiting.push(entry);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== entry);
    };
  }

  /** Calls back, in order, whoever's time comes meanwhile. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#waiting.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The same, and lets what each callback begins come to rest. */
  async turn(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (let due = this.#dueBy(end); due !== undefined; due = this.#dueBy(end)) {
      this.advance(Math.max(due - this.#now, 0));
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.advance(end - this.#now);
  }

  #dueBy(end: number): number | undefined {
    const first = Math.min(...this.#waiting.map(({ at }) => at));
    return first <= end ? first : undefined;
  }
}

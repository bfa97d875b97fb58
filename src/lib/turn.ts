import { setImmediate } from 'node:timers/promises';

/** Milliseconds. Whoever waits for the event loop waits for one turn at most; each costs some microseconds. */
const LENGTH = 1;

/** Long work in parts: between two of them others have their turn of the event loop, once this one has been long enough. */
export class Turn {
  #begun = performance.now();

  /** Whether it is time to `pass`. */
  get isOver(): boolean {
    return performance.now() - this.#begun >= LENGTH;
  }

  /** Resolves at the next turn. Whatever is not this work's own may have changed by then. */
  async pass(): Promise<void> {
    await setImmediate();
    this.#begun = performance.now();
  }
}

/** What `make` makes of each, in their order. */
export async function inTurns<From, To>(items: Iterable<From>, make: (item: From) => To): Promise<To[]> {
  const turn = new Turn();
  const made: To[] = [];
  for (const item of items) {
    made.push(make(item));
    if (turn.isOver) await turn.pass();
  }
  return made;
}

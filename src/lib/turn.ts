import { setImmediate } from 'node:timers/promises';

/** Milliseconds. Whoever waits for the event loop waits for one turn at most; each costs some microseconds. */
const LENGTH = 1;

/** Items that are worth a look at the clock. */
const STEP = 256;
/** Items that work is done for. */
const SOME = 16;

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

/** Work that others may have their turn in, at each `yield`; it answers what it returns. */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** All of it now. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** All of it, one turn after another. */
export async function stepByStep<Result>(steps: Steps<Result>): Promise<Result> {
  const turn = new Turn();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (turn.isOver) await turn.pass();
  }
}

/** What `Array.prototype.filter` answers; a step is some hundred items. */
export function* filterInSteps<Item>(
  items: Iterable<Item>,
  isWanted: (item: Item) => boolean,
): Steps<Item[]> {
  const wanted: Item[] = [];
  let count = 0;
  for (const item of items) {
    if (isWanted(item)) wanted.push(item);
    if (++count % STEP === 0) yield;
  }
  return wanted;
}

/** What `make` makes of each; a step is some items. */
export function* mapInSteps<From, To>(items: readonly From[], make: (item: From) => To): Steps<To[]> {
  const made: To[] = [];
  for (const item of items) if (made.push(make(item)) % SOME === 0) yield;
  return made;
}

/** Some hundred items at a time, each in its map by its name. */
export function* indexInSteps<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
): Steps<Map<string, Item>> {
  const index = new Map<string, Item>();
  for (const item of items) {
    index.set(nameOf(item), item);
    if (index.size % STEP === 0) yield;
  }
  return index;
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

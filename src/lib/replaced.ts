/** So many may be replaced before all are copied. */
const MOST = 64;

/**
 * `base` with the values of some of its keys replaced, in the same order; neither of them is changed afterwards. Costs
 * what is replaced, not what there is.
 */
export function withReplaced<Key, Value>(
  base: ReadonlyMap<Key, Value>,
  values: ReadonlyMap<Key, Value>,
): ReadonlyMap<Key, Value> {
  const isNew = [...values.keys()].some((key) => !base.has(key));
  const [below, before] = partsOf(base);
  if (isNew || before.size + values.size > MOST) return new Map([...base, ...values]);
  return new Replaced(below, new Map([...before, ...values]));
}

/**
 * The keys whose values are not the same in both, and possibly some whose are; null where that is not known without
 * comparing all.
 */
export function replacedKeys<Key, Value>(
  one: ReadonlyMap<Key, Value>,
  other: ReadonlyMap<Key, Value>,
): ReadonlySet<Key> | null {
  const [[base, values], [otherBase, otherValues]] = [partsOf(one), partsOf(other)];
  return base === otherBase ? new Set([...values.keys(), ...otherValues.keys()]) : null;
}

const partsOf = <Key, Value>(map: ReadonlyMap<Key, Value>): Parts<Key, Value> =>
  map instanceof Replaced ? (map as Replaced<Key, Value>).parts() : [map, new Map<Key, Value>()];

/** What is below, and what stands in its place. */
type Parts<Key, Value> = readonly [ReadonlyMap<Key, Value>, ReadonlyMap<Key, Value>];

class Replaced<Key, Value> implements ReadonlyMap<Key, Value> {
  readonly #base: ReadonlyMap<Key, Value>;
  readonly #values: ReadonlyMap<Key, Value>;
  #all: ReadonlyMap<Key, Value> | undefined;

  constructor(base: ReadonlyMap<Key, Value>, values: ReadonlyMap<Key, Value>) {
    this.#base = base;
    this.#values = values;
  }

  parts(): Parts<Key, Value> {
    return [this.#base, this.#values];
  }

  get size(): number {
    return this.#base.size;
  }

  get(key: Key): Value | undefined {
    return this.#values.get(key) ?? this.#base.get(key);
  }

  has(key: Key): boolean {
    return this.#base.has(key);
  }

  keys(): MapIterator<Key> {
    return this.#base.keys();
  }

  values(): MapIterator<Value> {
    return this.#merged().values();
  }

  entries(): MapIterator<[Key, Value]> {
    return this.#merged().entries();
  }

  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.entries();
  }

  forEach(callback: (value: Value, key: Key, map: ReadonlyMap<Key, Value>) => void, thisArg?: unknown): void {
    for (const [key, value] of this) callback.call(thisArg, value, key, this);
  }

  /** Made when somebody walks through all of it: that is many times as fast as asking two maps for each. */
  #merged(): ReadonlyMap<Key, Value> {
    return (this.#all ??= new Map([...this.#base, ...this.#values]));
  }
}

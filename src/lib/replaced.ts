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
  const [below, before] = base instanceof Replaced ? base.parts() : [base, new Map<Key, Value>()];
  if (isNew || before.size + values.size > MOST) return new Map([...base, ...values]);
  return new Replaced(below, new Map([...before, ...values]));
}

class Replaced<Key, Value> implements ReadonlyMap<Key, Value> {
  readonly #base: ReadonlyMap<Key, Value>;
  readonly #values: ReadonlyMap<Key, Value>;

  constructor(base: ReadonlyMap<Key, Value>, values: ReadonlyMap<Key, Value>) {
    this.#base = base;
    this.#values = values;
  }

  parts(): readonly [ReadonlyMap<Key, Value>, ReadonlyMap<Key, Value>] {
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

  *values(): MapIterator<Value> {
    for (const [, value] of this) yield value;
  }

  *entries(): MapIterator<[Key, Value]> {
    for (const [key, value] of this.#base) yield [key, this.#values.get(key) ?? value];
  }

  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.entries();
  }

  forEach(callback: (value: Value, key: Key, map: ReadonlyMap<Key, Value>) => void, thisArg?: unknown): void {
    for (const [key, value] of this) callback.call(thisArg, value, key, this);
  }
}

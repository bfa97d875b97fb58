import { apart } from './keep.ts';

/**
 * The items of many lists in one order. When lists are exchanged for others, which is told by their identity, only their
 * items are moved: of ten thousand lists one is another, and nothing is sorted anew.
 */
export class SortedItems<Item extends object> {
  readonly #compare: (a: Item, b: Item) => number;
  #lists: readonly (readonly Item[])[] = [];
  #items: readonly Item[] = [];

  /** Items of different lists may be equal; they stand in no order of their own then. */
  constructor(compare: (a: Item, b: Item) => number) {
    this.#compare = compare;
  }

  /** The same array as before where these are the same lists. */
  of(lists: readonly (readonly Item[])[]): readonly Item[] {
    const { a: before, b: after } = apart(this.#lists, lists);
    this.#lists = lists;
    const added = missingIn(before, after).flat();
    const gone = new Set(missingIn(after, before).flat());
    if (added.length + gone.size > 0) this.#items = this.#exchange(gone, added.sort(this.#compare));
    return this.#items;
  }

  #exchange(gone: ReadonlySet<Item>, added: readonly Item[]): readonly Item[] {
    const kept = gone.size === 0 ? this.#items : this.#items.filter((item) => !gone.has(item));
    if (added.length === 0) return kept;
    const merged: Item[] = [];
    let at = 0;
    for (const item of added) {
      for (let next = kept[at]; next !== undefined && this.#compare(next, item) <= 0; next = kept[++at])
        merged.push(next);
      merged.push(item);
    }
    for (; at < kept.length; at++) merged.push(kept[at] as Item);
    return merged;
  }
}

function missingIn<Item>(others: readonly Item[], items: readonly Item[]): Item[] {
  const known = new Set(others);
  return items.filter((item) => !known.has(item));
}

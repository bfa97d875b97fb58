/**
 * `after`, with whatever in it says the same as in `before` as the very object of `before`. Plain data: arrays and
 * objects of one level or more, and values that `===` compares.
 */
export function keep<T>(before: T | undefined, after: T): T {
  if (before === after || before === undefined || !isData(before) || !isData(after)) return after;
  const [old, made] = [before as Fields, after as Fields];
  const names = Object.keys(made);
  let same = Array.isArray(old) === Array.isArray(made) && Object.keys(old).length === names.length;
  const kept: Fields = Array.isArray(made) ? ([] as unknown as Fields) : {};
  for (const name of names) {
    kept[name] = keep(old[name], made[name]);
    same &&= kept[name] === old[name] && name in old;
  }
  return (same ? before : kept) as T;
}

type Fields = Record<string, unknown>;

const isData = (value: unknown): boolean => typeof value === 'object' && value !== null;

/** The same items at the same places. */
export const areSame = (a: readonly unknown[], b: readonly unknown[]): boolean => {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
};

/** What is left of both where they differ: without the items that both begin with, and those that both end with. */
export function apart<Item>(
  a: readonly Item[],
  b: readonly Item[],
): { readonly a: Item[]; readonly b: Item[] } {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start++;
  let end = 0;
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return { a: a.slice(start, a.length - end), b: b.slice(start, b.length - end) };
}

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { apart, keep } from '../../src/lib/keep.ts';
import { SortedItems } from '../../src/lib/sorted.ts';

test('items of lists that come and go are always in order, and the same array while no list is another one', () => {
  const item = fc.nat(30).map((value) => ({ value }));
  const pool = fc.array(fc.array(item, { maxLength: 4 }), { minLength: 1, maxLength: 12 });
  const choices = fc.array(fc.uniqueArray(fc.nat(11)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(pool, choices, (lists, steps) => {
      const sorted = new SortedItems<{ value: number }>((a, b) => a.value - b.value);
      for (const step of steps) {
        const chosen = step.flatMap((index) => {
          const list = lists[index];
          return list === undefined ? [] : [list];
        });
        const items = sorted.of(chosen);
        const values = chosen.flat().map(({ value }) => value);
        expect(items.map(({ value }) => value)).toEqual(values.sort((a, b) => a - b));
        expect(new Set(items)).toEqual(new Set(chosen.flat()));
        expect(sorted.of([...chosen])).toBe(items);
      }
    }),
  );
});

test('what says the same is kept as the same object, and what does not is as it is now', () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(value, value, (before, after) => {
      expect(keep(before, after)).toEqual(after);
      expect(keep(before, structuredClone(before))).toBe(before);
    }),
  );
  const before = { same: [{ a: 1n }], other: 1 };
  const kept = keep(before, { same: [{ a: 1n }], other: 2 });
  expect(kept).toEqual({ same: [{ a: 1n }], other: 2 });
  expect(kept.same).toBe(before.same);
});

test('apart leaves what differs, and loses nothing of it', () => {
  const list = fc.array(fc.nat(3), { maxLength: 12 });
  fc.assert(
    fc.property(list, list, (a, b) => {
      const rest = apart(a, b);
      const common = a.length - rest.a.length;
      expect(b.length - rest.b.length).toBe(common);
      if (rest.a.length > 0 && rest.b.length > 0) expect(rest.a[0]).not.toBe(rest.b[0]);
      if (a.join() === b.join()) expect(rest).toEqual({ a: [], b: [] });
    }),
  );
});

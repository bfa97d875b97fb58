import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { replacedKeys, withReplaced } from '../../src/lib/replaced.ts';

test('a map with values replaced, again and again, is what a copy would be, and what it was made of stays', () => {
  const key = fc.nat(200);
  const change = fc.array(fc.tuple(key, fc.string({ minLength: 1 })), { maxLength: 40 });
  fc.assert(
    fc.property(
      fc.uniqueArray(key, { maxLength: 150 }),
      fc.array(change, { maxLength: 8 }),
      (keys, changes) => {
        let expected: ReadonlyMap<number, string> = new Map(keys.map((one) => [one, 'old']));
        let map = expected;
        for (const values of changes.map((each) => new Map(each))) {
          const before = [...map];
          const next = withReplaced(map, values);
          expected = new Map([...expected, ...values]);
          expect([...map]).toEqual(before);
          const differing = [...next].filter(([one, value]) => map.get(one) !== value).map(([one]) => one);
          const replaced = replacedKeys(map, next);
          if (replaced !== null) expect([...replaced]).toEqual(expect.arrayContaining(differing));
          else expect(next).toBeInstanceOf(Map);
          map = next;
          expect([...map]).toEqual([...expected]);
          expect([...map.keys()]).toEqual([...expected.keys()]);
          expect([...map.values()]).toEqual([...expected.values()]);
          expect(map.size).toBe(expected.size);
          for (const one of [...keys, ...values.keys(), 999]) {
            expect(map.get(one)).toBe(expected.get(one));
            expect(map.has(one)).toBe(expected.has(one));
          }
          const told: [number, string][] = [];
          map.forEach((value, one) => told.push([one, value]));
          expect(told).toEqual([...expected]);
        }
      },
    ),
  );
});

import * as fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import { describe, expect, it } from 'vitest';
import type { Family } from '../../src/model/address.ts';
import { fromBits, fromBytes, parseAddress, toBits, toBytes } from '../../src/model/address.ts';

const bytesOf = (family: Family): fc.Arbitrary<Uint8Array> => {
  const size = family === 4 ? 4 : 16;
  // Zeros often, for they are what is written in several ways.
  const byte = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }));
  return fc.array(byte, { minLength: size, maxLength: size }).map((bytes) => Uint8Array.from(bytes));
};
const canonical = (bytes: Uint8Array): string =>
  bytes.length === 4 ? bytes.join('.') : Address6.fromByteArray([...bytes]).correctForm();

describe('an address', () => {
  it.each([4, 6] as const)(
    'of IPv%i is the same as text, bytes and number, and as a library has it',
    (family) => {
      fc.assert(
        fc.property(bytesOf(family), (bytes) => {
          const address = fromBytes(bytes);
          expect(address).toEqual({ family, text: canonical(bytes) });
          expect(toBytes(address)).toEqual(bytes);
          const library = family === 4 ? new Address4(address.text) : new Address6(address.text);
          expect(toBits(address)).toBe(library.bigInt());
          expect(fromBits(family, toBits(address))).toBe(address.text);
          expect(parseAddress(address.text)).toEqual(address);
        }),
        { numRuns: 2000 },
      );
    },
  );

  it('of IPv6 is read in any spelling', () => {
    fc.assert(
      fc.property(bytesOf(6), fc.boolean(), (bytes, upper) => {
        const address = fromBytes(bytes);
        const long = Array.from({ length: 8 }, (_, at) =>
          (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16).padStart(4, '0'),
        );
        const mixed = [...long.slice(0, 6), bytes.slice(12).join('.')].join(':');
        for (const text of [long.join(':'), mixed, address.text])
          expect(parseAddress(upper ? text.toUpperCase() : text)).toEqual(address);
      }),
    );
  });
});

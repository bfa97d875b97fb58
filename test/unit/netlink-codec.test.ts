import { constants } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KernelError } from '../../src/lib/errors.ts';
import { fromBytes, toBytes } from '../../src/model/address.ts';
import { addressBytes, addressText } from '../../src/kernel/netlink/address-bytes.ts';
import {
  attributes,
  eachAttribute,
  readAttributes,
  readString,
  readU16be,
  readU32be,
  readU32host,
  readU64be,
  readU8,
} from '../../src/kernel/netlink/attributes.ts';
import { nameErrno, refusalOf } from '../../src/kernel/netlink/errno.ts';
import { encodeMessage, splitMessages } from '../../src/kernel/netlink/message.ts';

/** Whatever comes, nothing but a KernelError is thrown. */
function survives(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(KernelError);
  }
}

describe('attributes', () => {
  test('each is padded to four bytes with zeros, and says its length without them', () => {
    const bytes = attributes((w) => w.u8(7, 6).string(2, 'dir-a').u16be(4, 25).u32be(6, 60).u32host(9, 60));
    expect(bytes.toString('hex')).toBe(
      `05000700060000000a0002006469722d610000000600040000190000080006000000003c080009003c000000`,
    );
  });

  test('what was written is read again, nested and flagged or not', () => {
    const bytes = attributes((w) =>
      w
        .nest(7, (inner) => inner.u16net(4, 65535).u32net(6, 0xffffffff).string(2, 'müller'))
        .u8(1, 255)
        .bytes(3, Buffer.alloc(8, 1)),
    );
    const found = readAttributes(bytes);
    const inner = readAttributes(found.get(7)!);
    expect([readU16be(inner.get(4)!), readU32be(inner.get(6)!), readString(inner.get(2)!)]).toEqual([
      65535,
      0xffffffff,
      'müller',
    ]);
    expect([readU8(found.get(1)!), readU64be(found.get(3)!)]).toEqual([255, 0x0101010101010101]);
    expect(readU32host(Buffer.from([1, 0, 0, 0]))).toBe(1);
  });

  test('a header stands before them, and many of them make it grow', () => {
    const bytes = attributes(
      (w) => {
        for (let i = 0; i < 1000; i++) w.u32be(1, i);
      },
      Uint8Array.of(10, 0, 0, 0),
    );
    const read: number[] = [];
    eachAttribute(bytes.subarray(4), (_, value) => read.push(readU32be(value)));
    expect(read).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(bytes.subarray(0, 4)).toEqual(Buffer.from([10, 0, 0, 0]));
  });

  test('one that is too long for its 16 bits of length is refused, alone or nested', () => {
    const long = Buffer.alloc(65_532);
    expect(() => attributes((w) => w.bytes(1, long))).toThrow(KernelError);
    expect(() => attributes((w) => w.nest(1, (i) => i.bytes(1, long.subarray(4)).u8(1, 1)))).toThrow(
      KernelError,
    );
  });

  test('a number of the wrong size, and one that runs over the end, are refused', () => {
    expect(() => readU32be(Buffer.alloc(3))).toThrow(KernelError);
    expect(() => readAttributes(Buffer.from('ff00010000000000', 'hex'))).toThrow(
      /255 bytes where 8 are left/,
    );
    expect(() => readAttributes(Buffer.from('0300010000000000', 'hex'))).toThrow(KernelError);
  });

  test('random bytes never throw anything but a KernelError, and never go on for ever', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        survives(() => readAttributes(Buffer.from(bytes)));
        survives(() => splitMessages(Buffer.from(bytes)));
        survives(() => refusalOf({ type: 2, flags: 0x300, payload: Buffer.from(bytes) }, 1));
      }),
    );
  });
});

describe('messages', () => {
  test('several of one datagram are told apart, whatever their padding', () => {
    const first = encodeMessage(0x609, 5, 77, Buffer.from([1, 2, 3]));
    const second = encodeMessage(3, 2, 78, Buffer.alloc(4));
    const split = splitMessages(Buffer.concat([first, Buffer.alloc(1), second]));
    expect(
      split.map(({ type, flags, sequence, payload }) => [type, flags, sequence, payload.toString('hex')]),
    ).toEqual([
      [0x609, 5, 77, '010203'],
      [3, 2, 78, '00000000'],
    ]);
  });

  test('one that says it is longer than its datagram is refused', () => {
    const message = encodeMessage(3, 2, 78, Buffer.alloc(4));
    expect(() => splitMessages(message.subarray(0, 18))).toThrow(KernelError);
  });
});

describe('errors of the kernel', () => {
  const refusal = (errno: number, flags = 0, rest: Buffer = Buffer.alloc(0)): KernelError | null => {
    const payload = Buffer.alloc(4);
    payload.writeInt32LE(-errno);
    return refusalOf(
      {
        type: 2,
        flags,
        payload: Buffer.concat([payload, encodeMessage(0x603, 5, 1, Buffer.alloc(8)), rest]),
      },
      0x603,
    );
  };

  test('an ACK is none, and every errno has the name that C programmers know', () => {
    expect(refusal(0)).toBeNull();
    for (const code of ['ENOENT', 'EEXIST', 'EBUSY', 'EPERM', 'EAGAIN', 'EOPNOTSUPP', 'EINVAL'] as const) {
      expect(refusal(constants.errno[code])?.code).toBe(code);
    }
    expect(refusal(9999)?.code).toBe('ERRNO_9999');
  });

  test("the kernel's own sentence is in the message where it gives one", () => {
    const told = attributes((w) => w.string(1, 'Mandatory attribute missing'));
    expect(refusal(22, 0x200, told)?.message).toContain(
      'Mandatory attribute missing: invalid argument (EINVAL)',
    );
  });

  test('a part of the kernel with errors of its own may name them', () => {
    expect(nameErrno(4100, (errno) => ({ code: `OWN_${errno}`, text: 'mine' }))).toEqual({
      code: 'OWN_4100',
      text: 'mine',
    });
  });
});

describe('addresses', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    // Runs of zeros, which RFC 5952 shortens.
    fc
      .array(fc.constantFrom(0, 0, 0, 1, 0xab), { minLength: 16, maxLength: 16 })
      .map((list) => Uint8Array.from(list)),
    fc
      .array(fc.constantFrom(0, 0, 1), { minLength: 8, maxLength: 8 })
      .map((list) => Uint8Array.from(list.flatMap((n) => [0, n]))),
  );

  test('their text and bytes are those of the model', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const address = fromBytes(value);
        expect(addressText(value)).toBe(address.text);
        expect([...addressBytes(address.family, address.text)]).toEqual([...toBytes(address)]);
      }),
    );
  });

  test.each(['', '1.2.3', '1.2.3.256', '::1', 'a'])('"%s" is no IPv4 address', (text) => {
    expect(() => addressBytes(4, text)).toThrow(KernelError);
  });
  test.each(['', '1.2.3.4', '::1%eth0', ':::', '1::2::3'])('"%s" is no IPv6 address', (text) => {
    expect(() => addressBytes(6, text)).toThrow(KernelError);
  });
});

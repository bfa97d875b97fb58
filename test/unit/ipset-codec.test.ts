import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KernelError } from '../../src/lib/errors.ts';
import type { SetSpec, SetType } from '../../src/model/kernel-state.ts';
import { attributes, readAttributes } from '../../src/kernel/netlink/attributes.ts';
import { decodeRevision, decodeSets, sizeOfHead, sumOfHeads } from '../../src/kernel/netlink/ipset/decode.ts';
import { readKey, writeKey } from '../../src/kernel/netlink/ipset/element.ts';
import {
  encodeCreate,
  encodeCreateList,
  encodeElements,
  encodeMember,
  encodeNamed,
  encodeSwap,
  encodeTypeQuery,
  requireName,
  secondsLeft,
} from '../../src/kernel/netlink/ipset/encode.ts';
import { explain, nameIpsetErrno } from '../../src/kernel/netlink/ipset/errors.ts';
import { splitMessages } from '../../src/kernel/netlink/message.ts';

const spec = (type: SetType, family: 4 | 6, extras = true): SetSpec => ({
  name: 'dir-a',
  type,
  family,
  timeouts: extras,
  counters: extras,
});

// All bytes below are of ipset(8) 7.17 on Linux 6.18, captured with
//   strace -e trace=sendto,recvmsg -e write=3 -e read=3 ipset ...
// without the nlmsghdr (16 bytes) where the text says so.

describe('what is sent', () => {
  test('create is what ipset(8) sends for "create dir-a hash:ip,port family inet timeout 0 counters maxelem 1048576"', () => {
    expect(encodeCreate(spec('hash:ip,port', 4), 7).toString('hex')).toBe(
      '020000000500010007000000' +
        '0a0002006469722d61000000' +
        '11000300686173683a69702c706f727400000000' +
        '0500040007000000' +
        '0500050002000000' +
        '1c000780' +
        '0800064000000000' +
        '0800084000000008' +
        '0800134000100000',
    );
  });

  test('create of a list is what ipset(8) sends for "create dir-l list:set size 16"', () => {
    expect(encodeCreateList('dir-l', 16, 3).toString('hex')).toBe(
      '020000000500010007000000' +
        '0a0002006469722d6c000000' +
        '0d0003006c6973743a73657400000000' +
        '0500040003000000' +
        '0500050000000000' +
        '0c000780' +
        '0800174000000010',
    );
  });

  test('put into a list is what ipset(8) sends for "add dir-l dir-a"', () => {
    expect(encodeMember('dir-l', 'dir-a').toString('hex')).toBe(
      '020000000500010007000000' +
        '0a0002006469722d6c000000' +
        '18000780' +
        '0a0012006469722d61000000' +
        '0800094000000000',
    );
  });

  test('swap is what ipset(8) sends for "swap dir-l dir-l2", destroy for "destroy dir-a"', () => {
    expect(encodeSwap('dir-l', 'dir-l2').toString('hex')).toBe(
      '020000000500010007000000' + '0a0002006469722d6c000000' + '0b0003006469722d6c320000',
    );
    expect(encodeNamed('dir-a').toString('hex')).toBe(
      '020000000500010007000000' + '0a0002006469722d61000000',
    );
    expect(encodeTypeQuery('hash:ip,port', 2).toString('hex')).toBe(
      '020000000500010007000000' + '11000300686173683a69702c706f727400000000' + '0500050002000000',
    );
  });

  test.each([
    ['hash:ip,port', 4, '192.0.2.25,tcp:25', '0c00018008000140c000021906000440001900000500070006000000'],
    [
      'hash:net,iface',
      4,
      '10.50.0.0/24,br-mail',
      '0c000180080001400a32000005000300180000000c00170062722d6d61696c00',
    ],
    ['hash:net', 6, '2001:db8::/33', '180001801400024020010db80000000000000000000000000500030021000000'],
  ] as const)(
    'a %s element of IPv%i, %s, has the bytes that ipset(8) gives it',
    (type, family, key, bytes) => {
      expect(attributes((w) => writeKey(w, spec(type, family), key)).toString('hex')).toBe(bytes);
    },
  );

  test('thousands of elements go in several messages of less than 64 kB, each with its line number', () => {
    const elements = Array.from({ length: 5000 }, (_, i) => ({
      key: `10.0.${i >> 8}.${i & 255},tcp:25`,
      expiresAt: null,
    }));
    const batches = encodeElements(spec('hash:ip,port', 4), elements, 0);
    expect(batches.length).toBeGreaterThan(1);
    expect(batches.reduce((sum, { size }) => sum + size, 0)).toBe(5000);
    expect(batches.every(({ payload }) => payload.length < 61_000)).toBe(true);
    expect(batches.map(({ first }) => first)).toEqual(
      [...new Set(batches.map(({ first }) => first))].sort((a, b) => a - b),
    );
    expect(batches.at(-1)?.payload.subarray(-4).readUInt32BE()).toBe(5000);
  });

  test('no elements are no message: an empty one would be an error', () => {
    expect(encodeElements(spec('hash:ip', 4), [], 0)).toEqual([]);
  });

  test('timeouts are sent only to sets that keep them, and never with a removal', () => {
    const element = [{ key: '192.0.2.25', expiresAt: 61_000 }];
    const has = (set: SetSpec, now: number | null): boolean =>
      encodeElements(set, element, now)[0]!.payload.includes(Buffer.from('080006400000003d', 'hex'));
    expect([
      has(spec('hash:ip', 4), 0),
      has(spec('hash:ip', 4, false), 0),
      has(spec('hash:ip', 4), null),
    ]).toEqual([true, false, false]);
  });

  test('time left is rounded up, at least one second, at most what the kernel takes, and 0 for good', () => {
    expect(secondsLeft(null, 5)).toBe(0);
    expect(secondsLeft(1001, 0)).toBe(2);
    expect(secondsLeft(1000, 0)).toBe(1);
    expect(secondsLeft(0, 90_000)).toBe(1);
    expect(secondsLeft(Number.MAX_SAFE_INTEGER, 0)).toBe(2_147_483);
  });

  test.each(['', 'a'.repeat(32), 'ü'.repeat(16), 'a\0b'])(
    '"%s" is no name of a set: without one, destroy means all',
    (name) => {
      expect(() => requireName(name)).toThrow(KernelError);
      expect(() => encodeNamed(name)).toThrow(KernelError);
      expect(() => encodeSwap('dir-a', name)).toThrow(KernelError);
    },
  );

  test.each([
    ['hash:ip', 4, '192.0.2.25,tcp:25'],
    ['hash:ip', 4, '192.0.2.0/24'],
    ['hash:ip', 4, '2001:db8::1'],
    ['hash:ip', 6, '192.0.2.1'],
    ['hash:ip,port', 4, '192.0.2.25'],
    ['hash:ip,port', 4, '192.0.2.25,tcp:65536'],
    ['hash:ip,port', 4, '192.0.2.25,tcp:'],
    ['hash:ip,port', 4, '192.0.2.25,tcp:25:26'],
    ['hash:ip,port', 4, '192.0.2.25,icmp:8'],
    ['hash:net', 4, '10.0.0.0/33'],
    ['hash:net', 4, '10.0.0.0/'],
    ['hash:net', 4, '10.0.0.0/8/8'],
    ['hash:net', 4, '10.0.0.0/-1'],
    ['hash:net', 4, '0.0.0.0/0'],
    ['hash:net', 6, '::/0'],
    ['hash:net,iface', 4, '10.0.0.0/8'],
    ['hash:net,iface', 4, '10.0.0.0/8,a-name-too-long!'],
  ] as const)('as an element of %s, IPv%i, "%s" is refused before anything is sent', (type, family, key) => {
    expect(() => encodeElements(spec(type, family), [{ key, expiresAt: null }], 0)).toThrow(
      /nothing was sent/,
    );
  });
});

describe('what is read', () => {
  // "ipset list dir-a" after: add dir-a 192.0.2.25,tcp:25 timeout 60 (59 s left); add dir-a 192.0.2.25,udp:53
  const LISTED =
    '2401000007060200b1ac036bc02100000200000005000100070000000a0002006469722d6100000011000300686173683a69702c706f72740000000005000500' +
    '02000000050004000700000006000b40000000004c00078008001240000004000800134000100000050015000c000000080011407fb0210a0800194000000000' +
    '08001a4000000198080018400000000208000640000000000800084000000008840008804000078' +
    '00c00018008000100c000021906000440001900000500070006000000080006400000003b0c00184000000000000000000c001940000000000000000040000780' +
    '0c00018008000100c00002190600044000350000050007001100000008000640000000000c00184000000000000000000c0019400000000000000000';

  test('a set that ipset(8) listed, with its head and its elements', () => {
    expect(decodeSets(splitMessages(Buffer.from(LISTED, 'hex')), 1_000_000)).toEqual([
      {
        name: 'dir-a',
        type: 'hash:ip,port',
        family: 4,
        timeouts: true,
        counters: true,
        references: 0,
        size: 0,
        members: [],
        elements: [
          { key: '192.0.2.25,tcp:25', expiresAt: 1_059_000, packets: 0, bytes: 0 },
          { key: '192.0.2.25,udp:53', expiresAt: null, packets: 0, bytes: 0 },
        ],
      },
    ]);
  });

  test('a set that comes in several messages is one: those which go on have no head', () => {
    const [first] = splitMessages(Buffer.from(LISTED, 'hex'));
    const more = attributes(
      (w) =>
        w
          .string(2, 'dir-a')
          .nest(8, (list) =>
            list.nest(7, (data) => writeKey(data, spec('hash:ip,port', 4), '192.0.2.9,tcp:9')),
          ),
      Uint8Array.of(2, 0, 0, 0),
    );
    const sets = decodeSets([first!, { type: 0x607, flags: 2, payload: more }], 0);
    expect(sets.map(({ elements }) => elements.map(({ key }) => key))).toEqual([
      ['192.0.2.25,tcp:25', '192.0.2.25,udp:53', '192.0.2.9,tcp:9'],
    ]);
  });

  test('a list and its members, in order', () => {
    // From "ipset list", payload only.
    const payload = Buffer.from(
      '00000000' +
        '0a0002006469722d6c000000' +
        '0d0003006c6973743a73657400000000' +
        '0500050000000000' +
        '0500040003000000' +
        '24000780' +
        '0800174000000010080019400000000008001a40000000800800184000000001' +
        '14000880' +
        '10000780' +
        '0a0012006469722d61000000',
      'hex',
    );
    expect(decodeSets([{ type: 0x607, flags: 2, payload }], 0)).toEqual([
      {
        name: 'dir-l',
        type: 'list:set',
        family: null,
        timeouts: false,
        counters: false,
        references: 0,
        size: 16,
        members: ['dir-a'],
        elements: [],
      },
    ]);
  });

  test('a type that is none of ours is told by its head, and its elements are left alone', () => {
    const payload = attributes(
      (w) =>
        w
          .string(2, 'dir-x')
          .string(3, 'bitmap:port')
          .u8(5, 2)
          .nest(7, (d) => d.u32net(6, 0))
          .nest(8, (l) => l.nest(7, (d) => d.u16net(4, 1))),
      Uint8Array.of(2, 0, 0, 0),
    );
    expect(decodeSets([{ type: 0x607, flags: 2, payload }], 0)).toMatchObject([
      { type: 'bitmap:port', timeouts: true, elements: [] },
    ]);
  });

  const address = (family: 4 | 6): fc.Arbitrary<string> =>
    family === 4 ? fc.ipV4() : fc.constantFrom('2001:db8::25', 'fd00:50::1', '::1', '1:0:0:1::');
  const network = (family: 4 | 6): fc.Arbitrary<string> =>
    fc.oneof(
      address(family),
      fc
        .tuple(address(family), fc.integer({ min: 1, max: family === 4 ? 31 : 127 }))
        .map(([a, p]) => `${a}/${p}`),
    );
  const KEYS = {
    'hash:ip': address,
    'hash:net': (family) =>
      fc.tuple(network(family), fc.constantFrom('', ' nomatch')).map((parts) => parts.join('')),
    'hash:ip,port': (family) =>
      fc
        .tuple(address(family), fc.constantFrom('tcp', 'udp', 'sctp'), fc.integer({ min: 0, max: 65535 }))
        .map(([a, t, p]) => `${a},${t}:${p}`),
    'hash:net,iface': (family) =>
      fc
        .tuple(network(family), fc.constantFrom('br-mail', 'physdev:vif1.0', 'eth0'))
        .map((parts) => parts.join(',')),
  } satisfies Record<SetType, (family: 4 | 6) => fc.Arbitrary<string>>;

  test.each(Object.keys(KEYS) as SetType[])('every element of %s is read as it was written', (type) => {
    for (const family of [4, 6] as const) {
      fc.assert(
        fc.property(KEYS[type](family), (key) => {
          const found = readAttributes(attributes((w) => writeKey(w, spec(type, family), key)));
          expect(readKey(type, family, found)).toBe(key);
        }),
      );
    }
  });

  test('a mangled answer never throws anything but a KernelError', () => {
    const good = splitMessages(Buffer.from(LISTED, 'hex'))[0]!.payload;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.nat(good.length),
        (changes, length) => {
          const payload = Buffer.from(good.subarray(0, length));
          for (const [at, value] of changes) if (at < length) payload[at] = value;
          for (const read of [
            decodeSets,
            ([m]: { payload: Buffer; type: number; flags: number }[]) => sizeOfHead(m!),
            (messages: { payload: Buffer; type: number; flags: number }[]) => sumOfHeads(messages, 'dir-'),
            ([m]: { payload: Buffer; type: number; flags: number }[]) => decodeRevision(m),
          ]) {
            try {
              read([{ type: 0x607, flags: 2, payload }], 0);
            } catch (error) {
              expect(error).toBeInstanceOf(KernelError);
            }
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('errors', () => {
  test("each of ipset's own has a sentence, and a code with its number", () => {
    expect(nameIpsetErrno(2)).toBeNull();
    for (let errno = 4096; errno <= 4115; errno++) {
      expect(nameIpsetErrno(errno)?.code).toBe(`IPSET_${errno}`);
      expect(nameIpsetErrno(errno)?.text).not.toContain('not known');
    }
    expect(nameIpsetErrno(4103)?.text).toContain('IPSET_ERR_EXIST)');
    expect(nameIpsetErrno(4100)?.text).toContain('IPSET_ERR_BUSY');
    expect(nameIpsetErrno(4352)?.text).toContain('full');
  });

  test('a set in use is EBUSY, and how things are is said only where that is certain', () => {
    const busy = new KernelError('in use', { code: 'IPSET_4100', hint: 'wait' });
    expect(explain(busy, 'set a could not be destroyed')).toMatchObject({ code: 'EBUSY', hint: 'wait' });
    const lost = explain(
      new KernelError('no answer', { code: 'ETIMEDOUT' }),
      'set a could not be made',
      'nothing was changed',
    );
    expect(lost.message).toBe('set a could not be made: no answer');
    const refused = explain(
      new KernelError('wrong', { code: 'EINVAL' }),
      'set a could not be made',
      'nothing was changed',
    );
    expect(refused.message).toBe('set a could not be made; nothing was changed: wrong');
  });
});

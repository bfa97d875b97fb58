import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KernelError } from '../../src/lib/errors.ts';
import type { Flow } from '../../src/kernel/kernel.ts';
import {
  decodeFlow,
  encodeFlow,
  encodeMarkFilter,
  summaryOf,
} from '../../src/kernel/netlink/conntrack/codec.ts';
import { splitMessages } from '../../src/kernel/netlink/message.ts';

// What conntrack(8) 1.4.7 and Linux 6.18 said to each other for "conntrack -D --mark 0x10000/0xffff0000", captured with
//   strace -e trace=sendto,recvmsg -e write=3 -e read=3 conntrack ...
// The answer has two entries: TCP over IPv4 after a DNAT to 10.50.0.2:2525, and UDP over IPv6 that nobody answered yet.
const ASKED = '2400000001010103afac036b0000000000000000080008000001000008001500ffff0000';
const ANSWERED =
  'f000000000012200afac036bc721000002000000340001801400018008000100c633640708000200c00002191c0002800500010006000000060002009c400000' +
  '06000300001900003400028014000180080001000a32000208000200c63364071c00028005000100060000000600020009dd0000060003009c40000008000300' +
  '0000000e080008000001000008000c003b2305df08000b00000000010800070000000257300004802c0001800500010003000000050002000000000005000300' +
  '00000000060004000a000000060005000a0000001c001880080001000000000008000200000000000800030000000000f000000000012200afac036bc7210000' +
  '0a0000004c0001802c0001801400030020010db80000000000000000000000071400040020010db80000000000000000000000251c0002800500010011000000' +
  '060002009c40000006000300003500004c0002802c0001801400030020010db80000000000000000000000251400040020010db8000000000000000000000007' +
  '1c00028005000100110000000600020000350000060003009c4000000800030000000008080008000001000108000c0045a8c46d08000b000000000108000700' +
  '0000003b1c001880080001000000000008000200000000000800030000000000';
// An ICMP entry of the same host, from "conntrack -L -p icmp", without its nlmsghdr.
const ICMP =
  '020000003c0001801400018008000100c633640708000200c00002192400028005000100010000000600040000070000050005000800000005000600' +
  '000000003c0002801400018008000100c000021908000200c63364072400028005000100010000000600040000070000050005000000000005000600' +
  '0000000008000300000000080800080000000000080' +
  '00c008888d68a';

const entries = splitMessages(Buffer.from(ANSWERED, 'hex')).map(({ payload }) => payload);
const TCP: Flow = {
  family: 4,
  protocol: 'tcp',
  from: { family: 4, text: '198.51.100.7' },
  to: { family: 4, text: '192.0.2.25' },
  fromPort: 40000,
  toPort: 25,
  answeredBy: { family: 4, text: '10.50.0.2' },
  answeredPort: 2525,
  mark: 0x10000,
  id: 0x3b2305df,
  closing: false,
};

describe('what is sent', () => {
  test('the filter is what conntrack(8) sends', () => {
    expect(encodeMarkFilter({ value: 0x10000, mask: 0xffff0000 }).toString('hex')).toBe(ASKED.slice(32));
  });

  test('one flow is named by its original tuple, as the kernel writes it, and its id', () => {
    const kernels = entries[0]!.subarray(4, 4 + 0x34).toString('hex');
    expect(encodeFlow(TCP).toString('hex')).toBe(`02000000${kernels}08000c003b2305df`);
    const udp = decodeFlow(entries[1]!);
    expect(encodeFlow(udp).toString('hex')).toBe(
      `0a000000${entries[1]!.subarray(4, 4 + 0x4c).toString('hex')}08000c0045a8c46d`,
    );
  });

  test('a flow without ports cannot be named, and is refused', () => {
    expect(() => encodeFlow({ ...TCP, protocol: null })).toThrow(/it goes on/);
  });
});

describe('what is read', () => {
  test('who answers a flow is the source of its reply: the DomU after the DNAT', () => {
    expect(decodeFlow(entries[0]!)).toEqual(TCP);
  });

  test('IPv6 and UDP', () => {
    expect(decodeFlow(entries[1]!)).toMatchObject({
      family: 6,
      protocol: 'udp',
      from: { family: 6, text: '2001:db8::7' },
      to: { family: 6, text: '2001:db8::25' },
      toPort: 53,
      answeredBy: { family: 6, text: '2001:db8::25' },
      mark: 0x10001,
    });
  });

  test('ICMP has no ports', () => {
    expect(decodeFlow(Buffer.from(ICMP, 'hex'))).toMatchObject({
      protocol: null,
      fromPort: 0,
      toPort: 0,
      answeredPort: 0,
      mark: 0,
    });
  });

  test('the mark alone is found without reading the rest', () => {
    expect(entries.map((entry) => summaryOf(entry).mark)).toEqual([0x10000, 0x10001]);
    expect(summaryOf(Buffer.from(ICMP, 'hex')).mark).toBe(0);
    expect(summaryOf(Buffer.alloc(4)).mark).toBe(0);
  });

  test.each([
    ['established', 3, false],
    ['half closed by the client', 4, false],
    ['half closed by the server', 5, false],
    ['LAST_ACK', 6, true],
    ['TIME_WAIT', 7, true],
    ['CLOSE', 8, true],
  ])('a TCP flow that is %s is over or not', (_, state, closing) => {
    const entry = Buffer.from(entries[0]!);
    entry[entry.indexOf(Buffer.from('0500010003', 'hex')) + 4] = state;
    expect(summaryOf(entry).closing).toBe(closing);
    expect(decodeFlow(entry).closing).toBe(closing);
    expect(summaryOf(entries[1]!).closing).toBe(false);
  });

  test('mangled entries never throw anything but a KernelError', () => {
    const good = entries[0]!;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.nat(good.length),
        (changes, length) => {
          const payload = Buffer.from(good.subarray(0, length));
          for (const [at, value] of changes) if (at < length) payload[at] = value;
          expect(summaryOf(payload).mark).toBeTypeOf('number');
          try {
            decodeFlow(payload);
          } catch (error) {
            expect(error).toBeInstanceOf(KernelError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

import { expect, test } from 'vitest';
import { announcementFrames, claimOf, probeFrame } from '../../src/kernel/links/frames.ts';
import type { Address } from '../../src/model/address.ts';

const MAC = '02:11:22:33:44:55';
const V4: Address = { family: 4, text: '192.0.2.25' };
const V6: Address = { family: 6, text: '2001:db8::a1:b2c3' };
const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');

test('an ARP probe claims no address: its sender is 0.0.0.0 (RFC 5227)', () => {
  expect(hex(probeFrame(V4, MAC))).toBe(
    'ffffffffffff' +
      '021122334455' +
      '0806' +
      '0001080006040001' +
      '021122334455' +
      '00000000' +
      '000000000000' +
      'c0000219' +
      '00'.repeat(18),
  );
  expect(claimOf(probeFrame(V4, MAC))).toBeNull();
});

test('a neighbour solicitation comes from nobody, and goes to the group of the address (RFC 4862)', () => {
  const sent = hex(probeFrame(V6, MAC));
  expect(sent.replace(/(?<=^.{112}).{4}/, 'cccc')).toBe(
    '3333ffa1b2c3' +
      '021122334455' +
      '86dd' +
      '6000000000183aff' +
      '00'.repeat(16) +
      'ff0200000000000000000001ffa1b2c3' +
      '8700cccc00000000' +
      '20010db80000000000000000' +
      '00a1b2c3',
  );
  // One's complement sum over pseudo-header and message is all ones.
  const bytes = Buffer.from(sent.slice(28 + 16), 'hex');
  let sum = 24 + 58;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  expect(sum).toBe(0xffff);
  expect(claimOf(probeFrame(V6, MAC))).toBeNull();
});

test('who announces an address, in either family, claims it', () => {
  for (const address of [V4, V6])
    for (const frame of announcementFrames(address, MAC, false))
      expect(claimOf(frame)).toEqual({ address, mac: MAC });
});

test('frames that are cut short, or of other kinds, claim nothing', () => {
  const [frame = new Uint8Array()] = announcementFrames(V6, MAC, false);
  for (let length = 0; length < 78; length++) expect(claimOf(frame.subarray(0, length))).toBeNull();
  const other = Buffer.from(frame);
  other[54] = 135;
  expect(claimOf(other)).toBeNull();
  expect(claimOf(Buffer.alloc(100))).toBeNull();
});

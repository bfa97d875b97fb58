import { describe, expect, test } from 'vitest';
import { announcementFrames } from '../../src/kernel/links/frames.ts';

const MAC = '02:11:22:33:44:55';
const hex = (frame: Uint8Array | undefined): string => Buffer.from(frame ?? []).toString('hex');

describe('IPv4', () => {
  const frames = announcementFrames({ family: 4, text: '192.0.2.25' }, MAC, true);

  test('is announced as a request, with no target hardware address (RFC 5227)', () => {
    expect(hex(frames[0])).toBe(
      'ffffffffffff' +
        '021122334455' +
        '0806' +
        '0001080006040001' +
        '021122334455' +
        'c0000219' +
        '000000000000' +
        'c0000219' +
        '00'.repeat(18),
    );
  });

  test('and as a reply, for those who heed only replies', () => {
    expect(hex(frames[1])).toBe(
      'ffffffffffff' +
        '021122334455' +
        '0806' +
        '0001080006040002' +
        '021122334455' +
        'c0000219' +
        '021122334455' +
        'c0000219' +
        '00'.repeat(18),
    );
    expect(frames).toHaveLength(2);
  });
});

describe('IPv6', () => {
  const advertisement = (router: boolean): string =>
    hex(announcementFrames({ family: 6, text: '2001:db8::25' }, MAC, router)[0]);

  test('is advertised to all nodes, unsolicited, overriding, with our link-layer address', () => {
    expect(advertisement(true).replace(/(?<=^.{112}).{4}/, 'cccc')).toBe(
      '333300000001' +
        '021122334455' +
        '86dd' +
        '6000000000203aff' +
        '20010db8000000000000000000000025' +
        'ff020000000000000000000000000001' +
        '8800cccca0000000' +
        '20010db8000000000000000000000025' +
        '0201021122334455',
    );
  });

  test('says whether this host is a router', () => {
    expect(advertisement(false).slice(116, 118)).toBe('20');
  });

  test.each([true, false])('adds up to a checksum that is right (router: %s)', (router) => {
    const frame = Buffer.from(advertisement(router), 'hex');
    // RFC 1071: the sum over what is covered, its checksum included, is all ones.
    const covered = [frame.subarray(22, 54), Buffer.from('000000200000003a', 'hex'), frame.subarray(54)];
    const bytes = Buffer.concat(covered);
    let sum = 0;
    for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    expect(sum).toBe(0xffff);
  });
});

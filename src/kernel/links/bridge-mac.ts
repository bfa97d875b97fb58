import { createHash } from 'node:crypto';

/**
 * A bridge without an address of its own takes the lowest of its members', which changes as vifs come and go, and the
 * DomUs' neighbour caches with it. So ours have one that the name alone decides: locally administered, unicast
 * (IEEE 802, the two low bits of the first octet are 10).
 */
export function bridgeMac(name: string): string {
  const bytes = createHash('sha256').update(`dom0-director bridge ${name}`).digest().subarray(0, 6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return formatMac(bytes);
}

/** `02:00:5e:10:00:01`. */
export const formatMac = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');

export const macBytes = (mac: string): Uint8Array => Buffer.from(mac.replaceAll(':', ''), 'hex');

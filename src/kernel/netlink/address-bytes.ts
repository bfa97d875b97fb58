import { isIPv4, isIPv6 } from 'node:net';
import { KernelError } from '../../lib/errors.ts';
import { fromBytes, parseAddress, toBytes } from '../../model/address.ts';
import type { Family } from '../../model/address.ts';

/** In network byte order, 4 or 16 bytes. Throws KernelError (EINVAL) for what is no address of that family. */
export function addressBytes(family: Family, text: string): Uint8Array {
  if (family === 4 && isIPv4(text)) return toBytes({ family, text });
  if (family === 6 && isIPv6(text) && !text.includes('%')) {
    if (!text.includes('.')) return toBytes({ family, text });
    // An IPv4 address at the end is a spelling that nothing of ours uses.
    const address = parseAddress(text);
    if (typeof address !== 'string') return toBytes(address);
  }
  throw new KernelError(`"${text}" is not an IPv${family} address; nothing was sent`, { code: 'EINVAL' });
}

/** Canonical text of 4 or 16 bytes in network byte order (RFC 5952). Throws KernelError for other lengths. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4 || bytes.length === 16) return fromBytes(bytes).text;
  throw new KernelError(`the kernel's answer cannot be read: an address of ${bytes.length} bytes`, {
    code: 'EBADMSG',
  });
}

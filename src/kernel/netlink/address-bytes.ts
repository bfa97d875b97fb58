import { isIPv4, isIPv6 } from 'node:net';
import { KernelError } from '../../lib/errors.ts';
import { toBytes } from '../../model/address.ts';
import type { Family } from '../../model/address.ts';

/** In network byte order, 4 or 16 bytes. Throws KernelError (EINVAL) for what is no address of that family. */
export function addressBytes(family: Family, text: string): Uint8Array {
  if (family === 4 && isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (family === 6 && isIPv6(text) && !text.includes('%')) {
    // An IPv4 address at the end is a spelling that nothing of ours uses.
    return text.includes('.') ? toBytes({ family, text }) : bytes6(text);
  }
  throw new KernelError(`"${text}" is not an IPv${family} address; nothing was sent`, { code: 'EINVAL' });
}

/** Canonical text of 4 or 16 bytes in network byte order (RFC 5952). Throws KernelError for other lengths. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length === 16) return text6(bytes);
  throw new KernelError(`the kernel's answer cannot be read: an address of ${bytes.length} bytes`, {
    code: 'EBADMSG',
  });
}

// The model's conversions, by way of BigInt, take ten times as long; a list of flows has thousands of addresses.

function bytes6(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const first = groups(head);
  const last = groups(tail ?? '');
  const bytes = new Uint8Array(16);
  const write = (group: string, index: number): void => {
    const value = Number.parseInt(group, 16);
    bytes[index * 2] = value >> 8;
    bytes[index * 2 + 1] = value & 0xff;
  };
  first.forEach(write);
  last.forEach((group, index) => write(group, 8 - last.length + index));
  return bytes;
}

/** RFC 5952: no leading zeros, and the first of the longest runs of at least two zero groups is `::`. */
function text6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  const { start, length } = longestZeros(groups);
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let run = 0;
  groups.forEach((group, index) => {
    run = group === 0 ? run + 1 : 0;
    if (run > best.length) best = { start: index - run + 1, length: run };
  });
  return best;
}

import { Address4, Address6 } from 'ip-address';

/** IP versions, as the kernel's tools name them. */
export type Family = 4 | 6;
export const FAMILIES: readonly Family[] = [4, 6];

/** One address, in its canonical text (RFC 5952 for IPv6). */
export interface Address {
  readonly family: Family;
  readonly text: string;
}

/** A network in CIDR notation, host bits zero: `10.9.0.0/24`. A single address is a network of full length. */
export interface Network {
  readonly family: Family;
  readonly address: string;
  readonly prefix: number;
}

/** An interface's address with its network: `10.50.0.1/24` (host bits kept). */
export type InterfaceAddress = Network;

export const FULL_PREFIX: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

const DECIMAL_OCTETS = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/;
const DECIMAL = /^(0|[1-9]\d*)$/;

/** Canonical address, or why it is none. Leading zeros are refused: C libraries read `010` as octal 8. */
export function parseAddress(text: string): Address | string {
  if (text.includes(':')) return parseAddress6(text);
  if (!/^[\d.]+$/.test(text)) return `"${text}" is not an IP address`;
  if (/(^|\.)0\d/.test(text)) return `"${text}" has a leading zero, which some programs read as octal`;
  if (!DECIMAL_OCTETS.test(text) || !Address4.isValid(text)) return `"${text}" is not an IPv4 address`;
  return { family: 4, text };
}

function parseAddress6(text: string): Address | string {
  if (text.includes('%') || text.includes('/') || !Address6.isValid(text))
    return `"${text}" is not an IPv6 address`;
  // An IPv4 address at the end is another spelling of the last two groups.
  return { family: 6, text: text.includes('.') ? new Address6(text).correctForm() : text6(bytes6(text)) };
}

/** `10.0.0.0/8` or a single address; host bits must be zero. */
export function parseNetwork(text: string): Network | string {
  const parsed = parseInterfaceAddress(
    text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`,
  );
  if (typeof parsed === 'string') return parsed;
  const base = networkOf(parsed);
  if (base.address !== parsed.address) {
    return `"${text}" has host bits set; the network is ${base.address}/${base.prefix}`;
  }
  return parsed;
}

/** `10.50.0.1/24`: an address on an interface, host bits kept. */
export function parseInterfaceAddress(text: string): InterfaceAddress | string {
  const [host, length, ...rest] = text.split('/');
  if (host === undefined || length === undefined || rest.length > 0) {
    return `"${text}" is not an address with a prefix length, such as 10.50.0.1/24`;
  }
  const address = parseAddress(host);
  if (typeof address === 'string') return address;
  if (!DECIMAL.test(length) || Number(length) > FULL_PREFIX[address.family]) {
    return `"${text}": the prefix length must be 0 to ${FULL_PREFIX[address.family]}`;
  }
  return { family: address.family, address: address.text, prefix: Number(length) };
}

/** The network that an interface's address lies in. */
export function networkOf({ family, address, prefix }: InterfaceAddress): Network {
  const shift = BigInt(FULL_PREFIX[family] - prefix);
  return { family, address: fromBits(family, (toBits({ family, text: address }) >> shift) << shift), prefix };
}

export function contains(network: Network, address: Address): boolean {
  if (network.family !== address.family) return false;
  const shift = BigInt(FULL_PREFIX[network.family] - network.prefix);
  return toBits({ family: network.family, text: network.address }) >> shift === toBits(address) >> shift;
}

export function networksOverlap(a: Network, b: Network): boolean {
  if (a.family !== b.family) return false;
  const wide = a.prefix <= b.prefix ? a : b;
  const narrow = wide === a ? b : a;
  return contains(wide, { family: narrow.family, text: narrow.address });
}

export function formatNetwork({ address, prefix }: Network): string {
  return `${address}/${prefix}`;
}

/** How people write it: a single address without its prefix length. */
export function formatSource(network: Network): string {
  return network.prefix === FULL_PREFIX[network.family] ? network.address : formatNetwork(network);
}

// What is below is asked of thousands of addresses at a time; the library's numbers take ten times as long.

/** The address as an unsigned integer of 32 or 128 bits. */
export function toBits(address: Address): bigint {
  const { buffer } = toBytes(address);
  const view = new DataView(buffer);
  if (address.family === 4) return BigInt(view.getUint32(0));
  return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}

export function fromBits(family: Family, bits: bigint): string {
  const view = new DataView(new ArrayBuffer(family === 4 ? 4 : 16));
  if (family === 4) view.setUint32(0, Number(bits));
  else {
    view.setBigUint64(0, bits >> 64n);
    view.setBigUint64(8, bits & 0xffff_ffff_ffff_ffffn);
  }
  return fromBytes(new Uint8Array(view.buffer)).text;
}

/** Network byte order, 4 or 16 bytes. `text` has to be canonical. */
export function toBytes({ family, text }: Address): Uint8Array {
  return family === 4 ? Uint8Array.from(text.split('.'), Number) : bytes6(text);
}

export function fromBytes(bytes: Uint8Array): Address {
  return bytes.length === 4 ? { family: 4, text: bytes.join('.') } : { family: 6, text: text6(bytes) };
}

/** Any spelling but one that ends in an IPv4 address. */
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

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
  return { family: 6, text: canonical6(new Address6(text)) };
}

function canonical6(address: Address6): string {
  return address.correctForm();
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

/** The address as an unsigned integer of 32 or 128 bits. */
export function toBits({ family, text }: Address): bigint {
  return family === 4 ? new Address4(text).bigInt() : new Address6(text).bigInt();
}

export function fromBits(family: Family, bits: bigint): string {
  return family === 4 ? Address4.fromBigInt(bits).correctForm() : canonical6(Address6.fromBigInt(bits));
}

/** Network byte order, 4 or 16 bytes. */
export function toBytes(address: Address): Uint8Array {
  const size = address.family === 4 ? 4 : 16;
  const bytes = new Uint8Array(size);
  let bits = toBits(address);
  for (let i = size - 1; i >= 0; i--) {
    bytes[i] = Number(bits & 0xffn);
    bits >>= 8n;
  }
  return bytes;
}

export function fromBytes(bytes: Uint8Array): Address {
  const family: Family = bytes.length === 4 ? 4 : 6;
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  return { family, text: fromBits(family, bits) };
}

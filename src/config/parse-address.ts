import {
  FULL_PREFIX,
  networkOf,
  parseAddress,
  parseInterfaceAddress,
  parseNetwork,
  toBits,
  fromBits,
} from '../model/address.ts';
import type { Address, Family, InterfaceAddress, Network } from '../model/address.ts';
import { show } from './words.ts';

/** A block of addresses, by its leading bits: a large file has many addresses to hold against these. */
interface Block {
  readonly family: Family;
  readonly prefix: number;
  readonly leading: bigint;
  readonly what: string;
}

const block = (family: Family, address: string, prefix: number, what: string): Block => ({
  family,
  prefix,
  leading: toBits({ family, text: address }) >> BigInt(FULL_PREFIX[family] - prefix),
  what,
});

/** IANA's special-purpose address registries (RFC 6890): what no host can be reached at, or comes from. */
const NOBODY: readonly Block[] = [
  block(4, '0.0.0.0', 8, 'means "this network" and is nobody\'s'),
  block(4, '127.0.0.0', 8, 'is a loopback address'),
  block(4, '224.0.0.0', 4, 'is a multicast address'),
  block(4, '255.255.255.255', 32, 'is the broadcast address'),
  block(6, '::', 128, 'is the unspecified address'),
  block(6, '::1', 128, 'is the loopback address'),
  block(6, 'ff00::', 8, 'is a multicast address'),
];
const MAPPED = block(6, '::ffff:0:0', 96, 'is an IPv4 address in IPv6 spelling');
const LINK_LOCAL = block(6, 'fe80::', 10, 'is link-local');

/** Which of the blocks holds all of a network. */
function within(blocks: readonly Block[], { family, address, prefix }: Network): Block | undefined {
  const bits = toBits({ family, text: address });
  const full = FULL_PREFIX[family];
  return blocks.find(
    (b) => b.family === family && b.prefix <= prefix && bits >> BigInt(full - b.prefix) === b.leading,
  );
}

/** An address that connections can be directed from or to; a sentence where it is none. */
export function parseUsableAddress(text: string): Address | string {
  const address = parseAddress(text);
  if (typeof address === 'string') return `${address}; ${addressAdvice(text)}`;
  return unusable(address) ?? address;
}

/** A bridge's own address with its network: `10.50.0.1/24`. */
export function parseGateway(text: string): InterfaceAddress | string {
  const parsed = parseInterfaceAddress(text);
  if (typeof parsed === 'string') return parsed;
  const wrong = unusable({ family: parsed.family, text: parsed.address });
  if (wrong !== null) return wrong;
  const reserved = reservedIn(parsed, { family: parsed.family, text: parsed.address });
  if (reserved === null) return parsed;
  const base = networkOf(parsed);
  const first = fromBits(base.family, toBits({ family: base.family, text: base.address }) + 1n);
  return `"${text}" is the ${reserved} itself; write the bridge's own address in it, such as ${first}/${base.prefix}`;
}

/** Where testers or administrators come from. */
export function parseSource(text: string): Network | string {
  const network = parseNetwork(text);
  if (typeof network === 'string')
    return isAddressFault(text) ? `${network}; ${addressAdvice(text)}` : network;
  if (network.prefix === 0) {
    return `${show(text)} is everybody, which a set of networks cannot hold; write the networks that are meant`;
  }
  const nobody = within([MAPPED, ...NOBODY], network);
  if (nobody === MAPPED) return mapped(network.address);
  return nobody === undefined ? network : `${show(text)} ${nobody.what}; no connection comes from there`;
}

/** Which reserved address of an interface's network this is, if any (RFC 919; RFC 4291 section 2.6.1). */
export function reservedIn(
  network: InterfaceAddress,
  address: Address,
): 'network' | 'broadcast address' | null {
  const full = FULL_PREFIX[network.family];
  if (full - network.prefix < 2) return null;
  const base = networkOf(network);
  if (address.text === base.address) return 'network';
  if (network.family === 6) return null;
  const last = toBits({ family: 4, text: base.address }) | ((1n << BigInt(full - network.prefix)) - 1n);
  return toBits(address) === last ? 'broadcast address' : null;
}

const UNUSABLE = [MAPPED, LINK_LOCAL, ...NOBODY];

function unusable({ family, text }: Address): string | null {
  const found = within(UNUSABLE, { family, address: text, prefix: FULL_PREFIX[family] });
  if (found === undefined) return null;
  if (found === MAPPED) return mapped(text);
  if (found !== LINK_LOCAL) return `"${text}" ${found.what}; write one that other hosts can reach`;
  return `"${text}" ${found.what}, which no connection can be directed to or through; write a global or unique local one (fd00::/8)`;
}

function mapped(text: string): string {
  const ipv4 = fromBits(4, toBits({ family: 6, text }) & 0xffff_ffffn);
  return `"${text}" ${MAPPED.what}; write ${ipv4}`;
}

function isAddressFault(text: string): boolean {
  return typeof parseAddress(text.split('/')[0] ?? '') === 'string';
}

function addressAdvice(text: string): string {
  const [host = '', length] = text.split('/');
  const plain = host.replace(/(^|\.)0+(?=\d)/g, '$1');
  if (length !== undefined && typeof parseAddress(host) !== 'string') return `write ${host} alone`;
  if (plain !== host && typeof parseAddress(plain) !== 'string') return `write ${text.replace(host, plain)}`;
  return 'write one such as 192.0.2.25 or "2001:db8::25"';
}

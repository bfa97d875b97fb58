import { FULL_PREFIX, fromBytes, toBytes } from '../../model/address.ts';
import type { Address } from '../../model/address.ts';
import { formatMac, macBytes } from './bridge-mac.ts';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
/** The group of all nodes on the link, ff02::1, and its Ethernet address (RFC 2464 section 7). */
const ALL_NODES: Address = { family: 6, text: 'ff02::1' };
const ALL_NODES_MAC = '33:33:00:00:00:01';
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV6 = 0x86dd;
/** Without the frame check sequence (IEEE 802.3). */
const SHORTEST_FRAME = 60;
const ICMPV6 = 58;

/**
 * The Ethernet frames that tell the neighbours that `address` is at `mac` now. IPv4: an ARP announcement, as a request
 * (RFC 5227 section 3) and as a reply, for some switches and hosts heed only the one. IPv6: an unsolicited neighbour
 * advertisement. `router`: whether the link forwards, which the advertisement must say as the kernel's own do.
 */
export function announcementFrames(address: Address, mac: string, router: boolean): Uint8Array[] {
  const own = macBytes(mac);
  if (address.family === 6) return [neighbourAdvertisement(address, own, router)];
  return [arp(1, address, own, new Uint8Array(6)), arp(2, address, own, own)];
}

function frame(destination: string, source: Uint8Array, type: number, payload: Uint8Array): Uint8Array {
  const ethertype = Uint8Array.of(type >> 8, type & 0xff);
  const bytes = Buffer.concat([macBytes(destination), source, ethertype, payload]);
  const padding = Buffer.alloc(Math.max(0, SHORTEST_FRAME - bytes.length));
  return Buffer.concat([bytes, padding]);
}

/** RFC 826: sender and target protocol address are both the one that is announced. */
function arp(operation: 1 | 2, address: Address, own: Uint8Array, target: Uint8Array): Uint8Array {
  const protocol = toBytes(address);
  const header = Uint8Array.of(0, 1, 0x08, 0x00, own.length, FULL_PREFIX[4] / 8, 0, operation);
  return frame(BROADCAST, own, ETHERTYPE_ARP, Buffer.concat([header, own, protocol, target, protocol]));
}

/** RFC 4861 sections 4.4 and 7.2.6: not solicited, override, with the target's link-layer address. */
function neighbourAdvertisement(address: Address, own: Uint8Array, router: boolean): Uint8Array {
  const source = toBytes(address);
  const destination = toBytes(ALL_NODES);
  const flags = (router ? 0x80 : 0) | 0x20;
  const message = Buffer.concat([
    Uint8Array.of(136, 0, 0, 0, flags, 0, 0, 0),
    source,
    Uint8Array.of(2, 1),
    own,
  ]);
  message.writeUInt16BE(icmpv6Checksum(source, destination, message), 2);
  const header = Uint8Array.of(0x60, 0, 0, 0, 0, message.length, ICMPV6, 255);
  return frame(ALL_NODES_MAC, own, ETHERTYPE_IPV6, Buffer.concat([header, source, destination, message]));
}

/** RFC 4443 section 2.3: over the pseudo-header of RFC 8200 section 8.1 and the message, its checksum being zero. */
function icmpv6Checksum(source: Uint8Array, destination: Uint8Array, message: Uint8Array): number {
  const length = Uint8Array.of(0, 0, message.length >> 8, message.length & 0xff, 0, 0, 0, ICMPV6);
  const bytes = Buffer.concat([source, destination, length, message]);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/**
 * Asks whether anybody on the link has `address`, without claiming it: an ARP probe, whose sender address is zero
 * (RFC 5227 section 1.1), or a neighbour solicitation from the unspecified address, as duplicate address detection
 * sends them (RFC 4862 section 5.4.2, RFC 4861 section 4.3). No neighbour remembers anything of it.
 */
export function probeFrame(address: Address, mac: string): Uint8Array {
  const own = macBytes(mac);
  if (address.family === 6) return neighbourSolicitation(address, own);
  const header = Uint8Array.of(0, 1, 0x08, 0x00, own.length, FULL_PREFIX[4] / 8, 0, 1);
  const asked = [header, own, new Uint8Array(4), new Uint8Array(6), toBytes(address)];
  return frame(BROADCAST, own, ETHERTYPE_ARP, Buffer.concat(asked));
}

/** To the solicited-node group, ff02::1:ff and the last 24 bits (RFC 4291 section 2.7.1). */
function neighbourSolicitation(address: Address, own: Uint8Array): Uint8Array {
  const target = toBytes(address);
  const low = target.subarray(13);
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...low);
  const source = new Uint8Array(16);
  const message = Buffer.concat([Uint8Array.of(135, 0, 0, 0, 0, 0, 0, 0), target]);
  message.writeUInt16BE(icmpv6Checksum(source, group, message), 2);
  const header = Uint8Array.of(0x60, 0, 0, 0, 0, message.length, ICMPV6, 255);
  const to = formatMac(Uint8Array.of(0x33, 0x33, 0xff, ...low));
  return frame(to, own, ETHERTYPE_IPV6, Buffer.concat([header, source, group, message]));
}

/** An address, and who says that it is his. */
export interface Claim {
  readonly address: Address;
  readonly mac: string;
}

/**
 * What a frame claims: any ARP packet its sender's address (RFC 5227 section 2.1.1), a neighbour advertisement its
 * target (RFC 4861 section 4.4); null for all others.
 */
export function claimOf(bytes: Uint8Array): Claim | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length < 42) return null;
  const mac = formatMac(view.subarray(6, 12));
  const type = view.readUInt16BE(12);
  if (type === ETHERTYPE_ARP) {
    const sender = view.subarray(28, 32);
    return sender.every((byte) => byte === 0) ? null : { address: fromBytes(sender), mac };
  }
  if (type !== ETHERTYPE_IPV6 || view.length < 78 || view[20] !== ICMPV6 || view[54] !== 136) return null;
  return { address: fromBytes(view.subarray(62, 78)), mac };
}

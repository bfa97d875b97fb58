import { KernelError } from '../../lib/errors.ts';
import { FULL_PREFIX, fromBytes, toBytes } from '../../model/address.ts';
import type { Family, InterfaceAddress } from '../../model/address.ts';
import { attributes, readAttributes, readString, readU32host, readU8 } from '../netlink/attributes.ts';
import type { AttributeWriter } from '../netlink/attributes.ts';
import { formatMac, macBytes } from './bridge-mac.ts';

/** linux/rtnetlink.h. */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

/** linux/if_link.h. */
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_EXT_MASK = 29;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BR_FORWARD_DELAY = 1;
const IFLA_BR_STP_STATE = 5;
const IFLA_BRPORT_MODE = 4;
/** linux/rtnetlink.h: leave out of the answer the counters that can be left out (of IPv6 and of virtual functions). */
const RTEXT_FILTER_SKIP_STATS = 1 << 3;

/** linux/if.h. */
const IFF_UP = 1;

/** linux/if_addr.h. */
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_RT_PRIORITY = 9;
const IFA_F_SECONDARY = 0x01;
const IFA_F_NODAD = 0x02;

/** linux/socket.h. */
const AF_INET = 2;
const AF_BRIDGE = 7;
const AF_INET6 = 10;

/**
 * The metric of the addresses that are ours, which is how they are told from the host's own: the kernel keeps it with
 * the address (since 4.18, both families), and `ip address` shows it.
 */
export const OUR_METRIC = 53_713;
/** The alias of the bridges that are ours. */
export const OUR_ALIAS = 'dom0-director';

export interface LinkRecord {
  readonly index: number;
  readonly name: string;
  /** Lower-case, colons; empty where the link has none. */
  readonly mac: string;
  readonly up: boolean;
  readonly masterIndex: number | null;
  readonly mtu: number;
  readonly alias: string;
  /** `bridge`, `veth`, ...; empty for hardware. */
  readonly kind: string;
  /** A bridge's port that may send a frame back to where it came from; false for what is no bridge's port. */
  readonly hairpin: boolean;
}

export interface AddressRecord {
  readonly linkIndex: number;
  readonly address: InterfaceAddress;
  readonly metric: number;
  /** IPv4: deleted with its primary, unless the kernel is told otherwise. */
  readonly secondary: boolean;
}

/** struct ifinfomsg { u8 family; u8 pad; u16 type; i32 index; u32 flags; u32 change } with attributes. */
function linkMessage(index: number, up: boolean, fill: (writer: AttributeWriter) => void): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  if (up) {
    header.writeUInt32LE(IFF_UP, 8);
    header.writeUInt32LE(IFF_UP, 12);
  }
  return Buffer.concat([header, attributes(fill)]);
}

/** All links, or the one with this name (a request then, not a dump). */
export function encodeGetLink(name?: string): Buffer {
  return linkMessage(0, false, (writer) => {
    writer.u32host(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    if (name !== undefined) writer.string(IFLA_IFNAME, name);
  });
}

/** A bridge that forwards at once: no spanning tree, no delay. The kernel ignores an alias in this message. */
export function encodeNewBridge(name: string, mac: string): Buffer {
  return linkMessage(0, false, (writer) =>
    writer
      .string(IFLA_IFNAME, name)
      .bytes(IFLA_ADDRESS, macBytes(mac))
      .nest(IFLA_LINKINFO, (info) =>
        info.string(IFLA_INFO_KIND, 'bridge').nest(IFLA_INFO_DATA, (data) => {
          data.u32host(IFLA_BR_FORWARD_DELAY, 0).u32host(IFLA_BR_STP_STATE, 0);
        }),
      ),
  );
}

export interface LinkChange {
  readonly up?: true;
  readonly alias?: string;
  /** Index of the bridge; 0 for none. */
  readonly master?: number;
}

export function encodeChangeLink(index: number, { up, alias, master }: LinkChange): Buffer {
  return linkMessage(index, up === true, (writer) => {
    if (alias !== undefined) writer.bytes(IFLA_IFALIAS, Buffer.from(alias));
    if (master !== undefined) writer.u32host(IFLA_MASTER, master);
  });
}

/** For RTM_SETLINK, as `bridge link set dev ... hairpin on` sends it: hairpin mode on, all else of the port as it is. */
export function encodeSetHairpin(index: number): Buffer {
  const message = linkMessage(index, false, (writer) => {
    writer.nest(IFLA_PROTINFO, (port) => port.u8(IFLA_BRPORT_MODE, 1));
  });
  message.writeUInt8(AF_BRIDGE, 0);
  return message;
}

export const encodeDeleteLink = (index: number): Buffer => linkMessage(index, false, () => undefined);

export function decodeLink(payload: Buffer): LinkRecord {
  if (payload.length < 16) throw truncated('link');
  const found = readAttributes(payload.subarray(16));
  const number = (type: number): number | null => {
    const value = found.get(type);
    return value === undefined ? null : readU32host(value);
  };
  const info = readAttributes(found.get(IFLA_LINKINFO) ?? Buffer.alloc(0));
  const mac = found.get(IFLA_ADDRESS);
  return {
    index: payload.readInt32LE(4),
    name: textIn(found, IFLA_IFNAME),
    mac: mac === undefined ? '' : formatMac(mac),
    up: (payload.readUInt32LE(8) & IFF_UP) !== 0,
    masterIndex: number(IFLA_MASTER),
    mtu: number(IFLA_MTU) ?? 0,
    alias: textIn(found, IFLA_IFALIAS),
    kind: textIn(info, IFLA_INFO_KIND),
    hairpin: hairpinIn(info),
  };
}

const textIn = (found: ReadonlyMap<number, Buffer>, type: number): string =>
  readString(found.get(type) ?? Buffer.alloc(0));

/** Ports of other masters than bridges (a bond's, a team's) have other things under the same number. */
function hairpinIn(info: ReadonlyMap<number, Buffer>): boolean {
  const port = info.get(IFLA_INFO_SLAVE_DATA);
  if (port === undefined || textIn(info, IFLA_INFO_SLAVE_KIND) !== 'bridge') return false;
  const mode = readAttributes(port).get(IFLA_BRPORT_MODE);
  return mode !== undefined && readU8(mode) !== 0;
}

/** struct ifaddrmsg { u8 family; u8 prefixlen; u8 flags; u8 scope; u32 index }. */
function addressHeader(index: number, address?: InterfaceAddress): Buffer {
  const header = Buffer.alloc(8);
  if (address !== undefined) {
    header.writeUInt8(address.family === 4 ? AF_INET : AF_INET6, 0);
    header.writeUInt8(address.prefix, 1);
  }
  header.writeUInt32LE(index, 4);
  return header;
}

/** All addresses of both families. */
export const encodeGetAddresses = (): Buffer => addressHeader(0);

/**
 * IPv6: without duplicate address detection, for the address must answer from its first packet on. A service's own
 * (full length) is deprecated from the start, which the kernel never picks as the source of what this host sends
 * (RFC 6724 rule 3), and answers all the same.
 */
export function encodeNewAddress(index: number, address: InterfaceAddress): Buffer {
  const bytes = toBytes({ family: address.family, text: address.address });
  const body = attributes((writer) => {
    writer.bytes(IFA_LOCAL, bytes).bytes(IFA_ADDRESS, bytes).u32host(IFA_RT_PRIORITY, OUR_METRIC);
    if (address.family === 4) return;
    writer.u32host(IFA_FLAGS, IFA_F_NODAD);
    if (address.prefix === FULL_PREFIX[6]) writer.bytes(IFA_CACHEINFO, deprecatedForGood());
  });
  return Buffer.concat([addressHeader(index, address), body]);
}

/** struct ifa_cacheinfo { u32 preferred, valid, created, updated }, seconds. */
function deprecatedForGood(): Buffer {
  const lifetimes = Buffer.alloc(16);
  lifetimes.writeUInt32LE(0xffff_ffff, 4);
  return lifetimes;
}

export function encodeDeleteAddress(index: number, address: InterfaceAddress): Buffer {
  const bytes = toBytes({ family: address.family, text: address.address });
  const body = attributes((writer) => writer.bytes(IFA_LOCAL, bytes).bytes(IFA_ADDRESS, bytes));
  return Buffer.concat([addressHeader(index, address), body]);
}

/** Null for an address of another family than IP. */
export function decodeAddress(payload: Buffer): AddressRecord | null {
  if (payload.length < 8) throw truncated('address');
  const family = familyOf(payload.readUInt8(0));
  if (family === null) return null;
  const found = readAttributes(payload.subarray(8));
  // With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL ours; IPv6 without one has no IFA_LOCAL (linux/if_addr.h).
  const bytes = found.get(IFA_LOCAL) ?? found.get(IFA_ADDRESS);
  if (bytes?.length !== (family === 4 ? 4 : 16)) throw truncated('address');
  const flags = found.get(IFA_FLAGS);
  const metric = found.get(IFA_RT_PRIORITY);
  return {
    linkIndex: payload.readUInt32LE(4),
    address: { family, address: fromBytes(bytes).text, prefix: payload.readUInt8(1) },
    metric: metric === undefined ? 0 : readU32host(metric),
    secondary: family === 4 && ((flags === undefined ? 0 : readU32host(flags)) & IFA_F_SECONDARY) !== 0,
  };
}

function familyOf(value: number): Family | null {
  if (value === AF_INET) return 4;
  return value === AF_INET6 ? 6 : null;
}

const truncated = (what: string): KernelError =>
  new KernelError(`the kernel's answer about a ${what} cannot be read; nothing was changed by reading it`, {
    code: 'EBADMSG',
  });

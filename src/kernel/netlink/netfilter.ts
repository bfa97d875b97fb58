import type { Family } from '../../model/address.ts';
import { attributes } from './attributes.ts';
import type { AttributeWriter } from './attributes.ts';

/** linux/netfilter/nfnetlink.h: a message's type is its subsystem and, in the lower byte, its command. */
const SUBSYSTEM = { conntrack: 1, ipset: 6, nftables: 10 } as const;

/** sys/socket.h on Linux. */
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const ADDRESS_FAMILY: Readonly<Record<Family, number>> = { 4: AF_INET, 6: AF_INET6 };

/** struct nfgenmsg { u8 family; u8 version; be16 resource }. */
export const NFGEN_HEADER = 4;

export const messageType = (subsystem: keyof typeof SUBSYSTEM, command: number): number =>
  (SUBSYSTEM[subsystem] << 8) | command;

/** A payload: struct nfgenmsg (version NFNETLINK_V0), then attributes. */
export function netfilterPayload(family: number, fill: (writer: AttributeWriter) => void): Buffer {
  return attributes(fill, Uint8Array.of(family, 0, 0, 0));
}

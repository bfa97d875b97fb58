import { KernelError } from '../../../lib/errors.ts';
import type { Address, Family } from '../../../model/address.ts';
import { PROTOCOL_NUMBER } from '../../../model/service.ts';
import type { Protocol } from '../../../model/service.ts';
import type { Flow, MarkFilter } from '../../kernel.ts';
import { addressBytes, addressText } from '../address-bytes.ts';
import { readAttributes, readU16be, readU32be, readU8, required } from '../attributes.ts';
import type { AttributeWriter } from '../attributes.ts';
import { ADDRESS_FAMILY, AF_INET6, AF_UNSPEC, NFGEN_HEADER, netfilterPayload } from '../netfilter.ts';
import * as nl from './protocol.ts';

/**
 * Both families: the kernel takes AF_UNSPEC for "any", in a dump as in a delete. (In a delete it looks at the family
 * only where nfgenmsg's version is not 0: nf_conntrack_netlink.c, ctnetlink_del_conntrack.)
 */
export function encodeMarkFilter({ value, mask }: MarkFilter): Buffer {
  return netfilterPayload(AF_UNSPEC, (writer) =>
    writer.u32be(nl.CTA_MARK, value).u32be(nl.CTA_MARK_MASK, mask),
  );
}

/** Every entry of both families. */
export const EVERYTHING = netfilterPayload(AF_UNSPEC, () => undefined);

/** Names one entry by its original tuple and its id. Throws KernelError (EOPNOTSUPP) where it is neither TCP nor UDP. */
export function encodeFlow(flow: Flow): Buffer {
  const { family, protocol } = flow;
  if (protocol === null) {
    throw new KernelError(
      `the flow from ${flow.from.text} to ${flow.to.text} is neither TCP nor UDP and cannot be ended alone; it goes on`,
      { code: 'EOPNOTSUPP', hint: 'Ended by its mark it can be.' },
    );
  }
  return netfilterPayload(ADDRESS_FAMILY[family], (writer) =>
    writer
      .nest(nl.CTA_TUPLE_ORIG, (tuple) => writeTuple(tuple, flow, PROTOCOL_NUMBER[protocol]))
      .u32be(nl.CTA_ID, flow.id),
  );
}

function writeTuple(
  tuple: AttributeWriter,
  { family, from, to, fromPort, toPort }: Flow,
  number: number,
): void {
  tuple
    .nest(nl.CTA_TUPLE_IP, (ip) =>
      ip
        .bytes(nl.CTA_IP_SRC[family], addressBytes(family, from.text))
        .bytes(nl.CTA_IP_DST[family], addressBytes(family, to.text)),
    )
    .nest(nl.CTA_TUPLE_PROTO, (proto) =>
      proto
        .u8(nl.CTA_PROTO_NUM, number)
        .u16be(nl.CTA_PROTO_SRC_PORT, fromPort)
        .u16be(nl.CTA_PROTO_DST_PORT, toPort),
    );
}

/** Throws KernelError (EBADMSG) for what cannot be read. */
export function decodeFlow(payload: Buffer): Flow {
  const family: Family = payload[0] === AF_INET6 ? 6 : 4;
  const found = readAttributes(payload.subarray(NFGEN_HEADER));
  const original = readTuple(family, required(found, nl.CTA_TUPLE_ORIG, 'CTA_TUPLE_ORIG'));
  const reply = readTuple(family, required(found, nl.CTA_TUPLE_REPLY, 'CTA_TUPLE_REPLY'));
  const mark = found.get(nl.CTA_MARK);
  return {
    family,
    protocol: original.protocol,
    from: original.source,
    to: original.destination,
    fromPort: original.sourcePort,
    toPort: original.destinationPort,
    answeredBy: reply.source,
    answeredPort: reply.sourcePort,
    mark: mark === undefined ? 0 : readU32be(mark),
    id: readU32be(required(found, nl.CTA_ID, 'CTA_ID')),
    closing: summaryOf(payload).closing,
  };
}

interface Tuple {
  readonly protocol: Protocol | null;
  readonly source: Address;
  readonly destination: Address;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

function readTuple(family: Family, nested: Buffer): Tuple {
  const tuple = readAttributes(nested);
  const ip = readAttributes(required(tuple, nl.CTA_TUPLE_IP, 'CTA_TUPLE_IP'));
  const proto = readAttributes(required(tuple, nl.CTA_TUPLE_PROTO, 'CTA_TUPLE_PROTO'));
  const address = (type: number, name: string): Address => ({
    family,
    text: addressText(required(ip, type, name)),
  });
  // ICMP has an id in the place of ports, and others have neither.
  const port = (type: number): number => {
    const value = proto.get(type);
    return value === undefined ? 0 : readU16be(value);
  };
  return {
    protocol: protocolOf(readU8(required(proto, nl.CTA_PROTO_NUM, 'CTA_PROTO_NUM'))),
    source: address(nl.CTA_IP_SRC[family], 'source address'),
    destination: address(nl.CTA_IP_DST[family], 'destination address'),
    sourcePort: port(nl.CTA_PROTO_SRC_PORT),
    destinationPort: port(nl.CTA_PROTO_DST_PORT),
  };
}

function protocolOf(number: number): Protocol | null {
  if (number === PROTOCOL_NUMBER.tcp) return 'tcp';
  return number === PROTOCOL_NUMBER.udp ? 'udp' : null;
}

/**
 * An entry's mark (0 where it has none) and whether its TCP connection is over, and nothing else: every entry of the
 * host passes here, so nothing is made of those that concern nobody. What cannot be read counts as unmarked.
 */
export function summaryOf(payload: Buffer): { mark: number; closing: boolean } {
  let mark = 0;
  let closing = false;
  for (let at = NFGEN_HEADER; at + 8 <= payload.length;) {
    const length = payload.readUInt16LE(at);
    if (length < 4) return { mark: 0, closing: false };
    const type = payload.readUInt16LE(at + 2) & ATTRIBUTE_TYPE;
    if (type === nl.CTA_MARK) mark = payload.readUInt32BE(at + 4);
    if (type === nl.CTA_PROTOINFO) closing = isOver(payload, at + 4);
    at += (length + 3) & ~3;
  }
  return { mark, closing };
}

/** NLA_TYPE_MASK (linux/netlink.h): without the flags for nested attributes and byte order. */
const ATTRIBUTE_TYPE = 0x3fff;

/** CTA_PROTOINFO_TCP is first in CTA_PROTOINFO, and the state first in it (nf_conntrack_proto_tcp.c, tcp_to_nlattr). */
function isOver(payload: Buffer, at: number): boolean {
  if (at + 9 > payload.length || (payload.readUInt16LE(at + 2) & ATTRIBUTE_TYPE) !== nl.CTA_PROTOINFO_TCP)
    return false;
  if ((payload.readUInt16LE(at + 6) & ATTRIBUTE_TYPE) !== nl.CTA_PROTOINFO_TCP_STATE) return false;
  return nl.TCP_CONNTRACK_OVER.has(payload[at + 8] ?? 0);
}

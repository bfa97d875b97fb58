import { KernelError } from '../../lib/errors.ts';

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  /** What follows the nlmsghdr. */
  readonly payload: Buffer;
}

export interface SequencedMessage extends NetlinkMessage {
  readonly sequence: number;
}

/** linux/netlink.h: struct nlmsghdr { u32 length; u16 type; u16 flags; u32 sequence; u32 port }, host byte order. */
export const NLMSG_HEADER = 16;

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
/** In an answer: what was dumped changed meanwhile. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_DUMP = 0x300;
/** In an NLMSG_ERROR: the request's payload is left out; attributes follow. */
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

/** Port 0: the kernel fills in ours. */
export function encodeMessage(type: number, flags: number, sequence: number, payload: Uint8Array): Buffer {
  const message = Buffer.alloc(NLMSG_HEADER + payload.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(flags, 6);
  message.writeUInt32LE(sequence, 8);
  message.set(payload, NLMSG_HEADER);
  return message;
}

/** One datagram with all of them, each of which begins at a multiple of 4 bytes (NLMSG_ALIGNTO). */
export function joinMessages(messages: readonly Buffer[]): Buffer {
  const [only] = messages;
  if (messages.length === 1 && only !== undefined) return only;
  return Buffer.concat(messages.flatMap((message) => [message, PADDING.subarray(0, -message.length & 3)]));
}

const PADDING = Buffer.alloc(3);

/** The messages of one datagram. Malformed bytes are a KernelError, EBADMSG. */
export function splitMessages(datagram: Buffer): SequencedMessage[] {
  const messages: SequencedMessage[] = [];
  for (let at = 0; at + NLMSG_HEADER <= datagram.length;) {
    const length = datagram.readUInt32LE(at);
    if (length < NLMSG_HEADER || at + length > datagram.length) {
      throw new KernelError(
        `a netlink datagram cannot be read: a message of ${length} bytes where ${datagram.length - at} are left`,
        { code: 'EBADMSG' },
      );
    }
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      payload: datagram.subarray(at + NLMSG_HEADER, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

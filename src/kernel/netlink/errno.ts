import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { KernelError } from '../../lib/errors.ts';
import { readAttributes, readString } from './attributes.ts';
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_HEADER } from './message.ts';
import type { NetlinkMessage } from './message.ts';

export interface ErrnoName {
  readonly code: string;
  readonly text: string;
}

/** Names the errors that only one part of the kernel has (ipset's begin at 4096); null for what it does not know. */
export type ErrnoNamer = (errno: number) => ErrnoName | null;

/** linux/netlink.h, enum nlmsgerr_attrs. */
const NLMSGERR_ATTR_MSG = 1;

const CODES = new Map<number, string>();
for (const [code, errno] of Object.entries(constants.errno)) {
  // Two names share one number: the kernel writes EAGAIN and EOPNOTSUPP.
  if (!CODES.has(errno) || code === 'EOPNOTSUPP') CODES.set(errno, code);
}

/** The kernel answered a request with an error. */
export class NetlinkRefusal extends KernelError {
  /** The request's payload as the kernel gave it back, where it did (ipset writes into it which element it was). */
  readonly echo: Buffer;
  constructor(message: string, code: string, echo: Buffer) {
    super(message, { code });
    this.echo = echo;
  }
}

export function nameErrno(errno: number, own?: ErrnoNamer): ErrnoName {
  const code = CODES.get(errno);
  return (
    own?.(errno) ?? {
      code: code ?? `ERRNO_${errno}`,
      text: getSystemErrorMap().get(-errno)?.[1] ?? `error ${errno}`,
    }
  );
}

/** The positive errno of an NLMSG_ERROR or NLMSG_DONE; 0 where all went well (an ACK), or where none is given. */
export function errnoOf({ payload }: NetlinkMessage): number {
  return payload.length >= 4 ? -payload.readInt32LE(0) : 0;
}

/** What an NLMSG_ERROR says, or null where it is an ACK. `asked` is the type of the request. */
export function refusalOf(message: NetlinkMessage, asked: number, own?: ErrnoNamer): NetlinkRefusal | null {
  const errno = errnoOf(message);
  if (errno === 0) return null;
  const { code, text } = nameErrno(errno, own);
  const told = extendedText(message);
  return new NetlinkRefusal(
    `the kernel refused netlink message 0x${asked.toString(16)}: ${told === null ? '' : `${told}: `}${text} (${code})`,
    code,
    message.payload.subarray(4 + NLMSG_HEADER),
  );
}

/** The kernel's own sentence (NLMSGERR_ATTR_MSG), which follows the request's copy, where it gives one. */
function extendedText({ flags, payload }: NetlinkMessage): string | null {
  if ((flags & NLM_F_ACK_TLVS) === 0 || payload.length < 4 + NLMSG_HEADER) return null;
  const copied =
    (flags & NLM_F_CAPPED) === 0 ? Math.max(payload.readUInt32LE(4), NLMSG_HEADER) : NLMSG_HEADER;
  const text = readAttributes(payload.subarray(4 + ((copied + 3) & ~3))).get(NLMSGERR_ATTR_MSG);
  return text === undefined ? null : readString(text);
}

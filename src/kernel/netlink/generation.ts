import { KernelError } from '../../lib/errors.ts';
import { readAttributes, readU32be, required } from './attributes.ts';
import type { NetlinkConnection } from './connection.ts';
import { NLM_F_REQUEST, encodeMessage } from './message.ts';
import { AF_UNSPEC, messageType, netfilterPayload, NFGEN_HEADER } from './netfilter.ts';

/** linux/netfilter/nf_tables.h. */
const NFT_MSG_NEWGEN = 15;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;

/** What nfnetlink answers where nf_tables is neither built in nor to be had as a module. */
const ABSENT: ReadonlySet<string> = new Set(['EINVAL', 'EOPNOTSUPP', 'EPROTONOSUPPORT']);

const PAYLOAD = netfilterPayload(AF_UNSPEC, () => undefined);

/** The whole message that asks for it; what answers it changes with the number, and else only with who asks. */
export const generationRequest = (): Buffer =>
  encodeMessage(messageType('nftables', NFT_MSG_GETGEN), NLM_F_REQUEST, 1, PAYLOAD);

/**
 * A number that changes with every change to an nf_tables ruleset of this network namespace, whoever makes it; null
 * where the kernel has no nf_tables. (It does not count what iptables-legacy does.)
 */
export async function rulesetGeneration(connection: NetlinkConnection): Promise<number | null> {
  try {
    const replies = await connection.request(messageType('nftables', NFT_MSG_GETGEN), 0, PAYLOAD);
    const reply = replies.find(({ type }) => type === messageType('nftables', NFT_MSG_NEWGEN));
    if (reply === undefined) return null;
    const found = readAttributes(reply.payload.subarray(NFGEN_HEADER));
    return readU32be(required(found, NFTA_GEN_ID, 'NFTA_GEN_ID'));
  } catch (error) {
    if (error instanceof KernelError && ABSENT.has(error.code)) return null;
    throw error;
  }
}

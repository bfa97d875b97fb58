import { DirectorError, KernelError, messageOf } from '../../../lib/errors.ts';
import { NetlinkRefusal } from '../errno.ts';
import type { ErrnoName } from '../errno.ts';

/** enum ipset_errno of linux/netfilter/ipset/ip_set.h, in its order from 4096. */
const OWN: readonly string[] = [
  'an error of this type of set alone',
  'kernel and director do not agree about the protocol (IPSET_ERR_PROTOCOL)',
  'the kernel has no such type of set (IPSET_ERR_FIND_TYPE)',
  'the kernel can hold no more sets (IPSET_ERR_MAX_SETS)',
  'the set is in use by a rule, by a list:set or by somebody who lists it (IPSET_ERR_BUSY)',
  'a set with the new name exists already, or the second set does not exist (IPSET_ERR_EXIST_SETNAME2)',
  'the two sets are of different types or families (IPSET_ERR_TYPE_MISMATCH)',
  'the element is there already, or is not there (IPSET_ERR_EXIST)',
  'the prefix length cannot be (IPSET_ERR_INVALID_CIDR)',
  'the netmask cannot be (IPSET_ERR_INVALID_NETMASK)',
  'the set is of the other family (IPSET_ERR_INVALID_FAMILY)',
  'the set keeps no timeouts (IPSET_ERR_TIMEOUT)',
  'the set is referred to by another (IPSET_ERR_REFERENCED)',
  'an IPv4 address is needed, and this is none (IPSET_ERR_IPADDR_IPV4)',
  'an IPv6 address is needed, and this is none (IPSET_ERR_IPADDR_IPV6)',
  'the set keeps no counters (IPSET_ERR_COUNTER)',
  'the set keeps no comments (IPSET_ERR_COMMENT)',
  'the mark mask cannot be (IPSET_ERR_INVALID_MARKMASK)',
  'the set keeps no packet marks (IPSET_ERR_SKBINFO)',
  'a bitmask cannot be given together with a netmask (IPSET_ERR_BITMASK_NETMASK_EXCL)',
];
const FIRST = 4096;

/** From here on a number means another thing for each type (IPSET_ERR_TYPE_SPECIFIC): ip_set_hash.h; ip_set_list.h. */
const TYPE_SPECIFIC = 4352;
const HASH_OR_LIST: readonly string[] = [
  'a hash that is full; or a list whose new member does not exist',
  'an element of zeros, such as a prefix of length 0; or a list in a list',
  'a protocol that cannot be; or a neighbour in the list that is not given',
  'a protocol that is missing; or a neighbour in the list that does not exist',
  'a range, which this type does not take; or a list that is full',
  'a range that cannot be; or a neighbour that is not in the list',
];

/** The codes are `IPSET_4100` and so on. */
export function nameIpsetErrno(errno: number): ErrnoName | null {
  if (errno < FIRST) return null;
  const text = errno >= TYPE_SPECIFIC ? (HASH_OR_LIST[errno - TYPE_SPECIFIC] ?? OWN[0]) : OWN[errno - FIRST];
  return { code: `IPSET_${errno}`, text: text ?? 'an error of ipset that is not known' };
}

export const IPSET_ERR_BUSY = 'IPSET_4100';

/**
 * Says what was being done, and `state` where it is certain: the kernel refused, or nothing was sent. Keeps code and
 * hint; but a set that is in use is EBUSY.
 */
export function explain(error: unknown, what: string, state?: string): KernelError {
  const code = error instanceof KernelError ? error.code : 'UNKNOWN';
  const certain = error instanceof NetlinkRefusal || code === 'EINVAL' || code === 'EEXIST';
  return new KernelError(
    `${what}${certain && state !== undefined ? `; ${state}` : ''}: ${messageOf(error)}`,
    {
      code: code === IPSET_ERR_BUSY ? 'EBUSY' : code,
      cause: error,
      ...(error instanceof DirectorError && error.hint !== undefined ? { hint: error.hint } : {}),
    },
  );
}

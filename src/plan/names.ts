import type { Family, Network } from '../model/address.ts';
import { toBits } from '../model/address.ts';
import type { Slot } from '../model/state.ts';

/** Set names end in 6 for IPv6, since a set has one family. */
export const setName = (stem: string, family: Family): string => `dir-${stem}${family === 6 ? '6' : ''}`;
export const testersSet = (service: string, family: Family): string => setName(`${service}-testers`, family);

/** Stands in for a set of ours while that is made anew; see replaceSets. No service's name has a dot. */
export const standInFor = (set: string): string => `${set}.n`;

/** Sets that bear one of our names. Somebody else's `dir-backup` is none of them, and is left alone. */
export function isOurSet(name: string): boolean {
  return /^dir-((vips|domus|quarantine|in|out|resets|new|refused|hairpin|hold)|[a-z][a-z0-9-]{0,15}-testers)6?(\.n)?$/.test(
    name,
  );
}

/**
 * Sets whose elements, the DomUs' addresses, count: packets forwarded to a DomU (in) and from it (out), TCP segments
 * with RST that it sent, first packets of connections that were directed to it, packets to a dark one that were refused.
 */
export const COUNTERS = ['in', 'out', 'resets', 'new', 'refused'] as const;
export type Counter = (typeof COUNTERS)[number];

/** The one list that every switch exchanges; see Choice. */
export const CHOICE_SET = 'dir-trial';

export const serviceChain = (service: string): string => `DIR-${service}`;
export const targetChain = (service: string, slot: Slot): string => `DIR-${service}.${slot}`;
/** What a DomU may open outwards while it is dark. */
export const quarantineChain = (service: string, slot: Slot): string => `DIR-OUT-${service}.${slot}`;
/** Where a connection to a dark DomU ends that nobody lets pass; it stands in the frame. */
export const DARK_CHAIN = 'DIR-DARK';
export const guardChain = (service: string, slot: Slot): string => `DIR-FWD-${service}.${slot}`;

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * A chain of the tree over addresses, named by its network alone, so that a tree with one more address shares all
 * chains but those on its way. `sign` keeps two trees of one table apart. A 1 before the network's bits keeps their number; in base 62 it fits a chain's name.
 */
export function treeChain({ family, address, prefix }: Network, sign: '_' | '='): string {
  const length = BigInt(family === 4 ? 32 : 128);
  let value = (1n << BigInt(prefix)) | (toBits({ family, text: address }) >> (length - BigInt(prefix)));
  let digits = '';
  while (value > 0n) {
    digits = `${DIGITS[Number(value % 62n)] ?? ''}${digits}`;
    value /= 62n;
  }
  return `DIR-${sign}${digits}`;
}

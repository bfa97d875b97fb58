import type { Family, InterfaceAddress } from './address.ts';

/** Everything of ours that a kernel should hold (desired) or holds (observed), as plain values. */
export interface KernelState {
  readonly bridges: readonly BridgeState[];
  /** Addresses on links; observed: all that there are on links that concern us, `ours` where we put them there. */
  readonly addresses: readonly LinkAddress[];
  readonly sets: readonly SetState[];
  /** What the two-faced choice list `dir-trial` says now; null where it does not exist or should not. */
  readonly choice: Choice | null;
  /** Observed only, and absent where there is nothing of it. */
  readonly crooked?: Crooked;
  readonly tables: Readonly<Record<Family, TableStates>>;
  readonly sysctls: Readonly<Record<string, string>>;
}

/** What bears a name of ours and is not what we make. */
export interface Crooked {
  /** Names of sets of types that none of ours has. */
  readonly sets: readonly string[];
  /** Whether there is any part of the choice although it is not whole. */
  readonly choice: boolean;
}

export interface BridgeState {
  readonly name: string;
  /** Observed: whether we made it (it bears our alias). Desired: always true. */
  readonly ours: boolean;
  readonly up: boolean;
  /**
   * Interfaces on this bridge. Desired ones that do not exist are not an error: a DomU may be down. Observed: without
   * those that lack hairpin mode where they need it, because iptables sees what crosses bridges.
   */
  readonly members: readonly string[];
}

export interface LinkAddress {
  readonly link: string;
  readonly address: InterfaceAddress;
  readonly ours: boolean;
  /** Desired: tell the neighbours when it is added (gratuitous ARP, unsolicited neighbour advertisement). */
  readonly announce: boolean;
}

export type SetType = 'hash:ip' | 'hash:net' | 'hash:ip,port' | 'hash:net,iface';

export interface SetSpec {
  /** At most 31 characters (IPSET_MAXNAMELEN, linux/netfilter/ipset/ip_set.h), and begins with `dir-`. */
  readonly name: string;
  readonly type: SetType;
  readonly family: Family;
  readonly timeouts: boolean;
  readonly counters: boolean;
}

export interface SetState extends SetSpec {
  readonly elements: readonly SetElement[];
}

/**
 * `key` is ipset's own spelling: `192.0.2.25`, `198.51.100.0/24`, `192.0.2.25,tcp:25`, `10.50.0.0/24,br-mail`.
 * `expiresAt`: milliseconds since the epoch; null stays for good.
 */
export interface SetElement {
  readonly key: string;
  readonly expiresAt: number | null;
}

/**
 * The set that every switch changes, and all of it in one message. `dir-trial` is a list:set over four hash sets
 * (for each family: (address, protocol, port) of services on trial, and addresses of DomUs whose role is inverted).
 * Two such banks exist; the idle one is filled, then the two lists are exchanged (IPSET_CMD_SWAP).
 */
export interface Choice {
  readonly elements: readonly SetElement[];
}

export const TABLES = ['filter', 'raw', 'mangle', 'nat'] as const;
export type TableName = (typeof TABLES)[number];
export type TableStates = Readonly<Record<TableName, TableState>>;

export interface TableState {
  /** Our own chains, by name (all begin with `DIR-`), with their rules in iptables-save's spelling, without `-A CHAIN `. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** The jumps from the built-in chains into ours. Observed: also where each stands, and how often. */
  readonly jumps: readonly Jump[];
}

export interface Jump {
  readonly chain: string;
  readonly target: string;
  readonly at: 'first' | 'last';
  /** Observed only: how many of it there are, beyond the one that is wanted. */
  readonly surplus?: number;
}

export const EMPTY_TABLE: TableState = { chains: new Map(), jumps: [] };
export const EMPTY_TABLES: TableStates = {
  filter: EMPTY_TABLE,
  raw: EMPTY_TABLE,
  mangle: EMPTY_TABLE,
  nat: EMPTY_TABLE,
};
export const EMPTY_KERNEL: KernelState = {
  bridges: [],
  addresses: [],
  sets: [],
  choice: null,
  tables: { 4: EMPTY_TABLES, 6: EMPTY_TABLES },
  sysctls: {},
};

export const SET_NAME_MAX = 31;
/** XT_EXTENSION_MAXNAMELEN is 29 with its final zero (linux/netfilter/x_tables.h). */
export const CHAIN_NAME_MAX = 28;

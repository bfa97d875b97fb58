import type { Address, Family, Network } from '../model/address.ts';
import type { Choice, KernelState } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import type { Protocol } from '../model/service.ts';

/** What to look for: ours is found by name, but links and addresses are also asked about by name. */
export interface Scope {
  /** Bridges and the uplink whose state matters. */
  readonly links: readonly string[];
  readonly sysctls: readonly string[];
  readonly rules?: ExpectedRules;
}

/** Rules that there should be: what is read and says the same is answered as the same objects. */
export interface ExpectedRules {
  readonly tables: KernelState['tables'];
  /** The generation at which they are known to be there, so that they need not be read; null: they are to be read. */
  readonly generation: number | null;
}

/** One conntrack entry (linux/netfilter/nfnetlink_conntrack.h). */
export interface Flow {
  readonly family: Family;
  readonly protocol: Protocol | null;
  /** As the client sent it: the service's address and port are `to` and `toPort`. */
  readonly from: Address;
  readonly to: Address;
  readonly fromPort: number;
  readonly toPort: number;
  /** Who answers it: the DomU, after the DNAT. */
  readonly answeredBy: Address;
  readonly answeredPort: number;
  readonly mark: number;
  /** CTA_ID: tells this entry from a later one with the same addresses and ports. */
  readonly id: number;
  /** A TCP connection that is over: both sides have closed or one has reset, and only its entry lingers. */
  readonly closing: boolean;
}

/** Selects flows by their conntrack mark, in the kernel: `(mark & mask) === value`. */
export interface MarkFilter {
  readonly value: number;
  readonly mask: number;
}

/** Flows that are to be ended at a time, milliseconds since the epoch, should nobody be there any more to do it. */
export interface Bequest {
  readonly at: number;
  readonly flows: MarkFilter;
  /** But not what comes from these. */
  readonly sparing: readonly Network[];
}

export interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

/** What a link has carried since it is there, as this host sees it. */
export interface LinkTraffic {
  readonly received: Traffic;
  readonly sent: Traffic;
}

export interface Swap {
  /** Microseconds from sending the one message that exchanges the banks to the kernel's answer. */
  readonly flipMicros: number;
  /** Between the families: 0, because both change in that message. */
  readonly familySkewMicros: number;
}

/** Each is another one after something has changed: of the choice's sets alone, or of anything else (or of both). */
export interface Prints {
  readonly choice: string;
  readonly rest: string;
}

/** What is known of an interface, whether or not it is of ours. */
export interface LinkInfo {
  readonly name: string;
  readonly index: number;
  /** Lower-case, colons; empty where the link has none. */
  readonly mac: string;
  readonly up: boolean;
  /** Name of the bridge that it is on. */
  readonly master: string | null;
  readonly mtu: number;
}

/**
 * The one place that touches the host. Two implementations, the real one and a stateful fake, are held to one suite
 * of tests. Failures are KernelError; nothing is retried here but what the kernel itself asks to be retried.
 */
export interface Kernel {
  /** What there is of ours, and what `scope` asks for. Consistent enough to diff; never changes anything. */
  observe(scope: Scope): Promise<KernelState>;
  /**
   * Carries out one operation, whole or not at all (rules: each table of it). Calling it again with the same value is
   * harmless, but for jumps: their `present` must be what stands there now.
   */
  apply(operation: Operation): Promise<void>;
  /**
   * Prepares the idle bank with exactly these elements. Nothing that a packet can meet has changed after it.
   * The answer commits the change with one message.
   */
  prepareChoice(choice: Choice): Promise<{ commit(): Promise<Swap> }>;
  /** A number that changes when anybody changes an nf_tables ruleset (NFT_MSG_GETGEN); null where iptables-legacy rules. */
  generation(): Promise<number | null>;
  /**
   * Changes within a third of a second after anybody has changed rules, sets, links, addresses or one of these sysctls;
   * made to be asked for several times a second. An element that is exchanged for another may go unnoticed: a whole look finds it.
   */
  fingerprint(sysctls: readonly string[]): Promise<Prints>;
  /** What the active list says, as in `observe`, and little else is asked for it. */
  choice(): Promise<Choice | null>;
  /**
   * The same for another process: equal only where nothing has been changed in between, and the host has not been
   * started again. Costs as much as a look at all heads, links and addresses.
   */
  print(sysctls: readonly string[]): Promise<string>;
  /** Calls back whenever the fingerprint may have become another one, or nobody tells of that any more. One listener. */
  onDisturbed(callback: () => void): void;
  /** Whether somebody tells; else the fingerprint is to be asked for again and again. */
  tells(): boolean;
  links(): Promise<LinkInfo[]>;
  /** By the link's name. */
  linkTraffic(): Promise<Map<string, LinkTraffic>>;
  /** Tells the neighbours on `link` where `addresses` are now (RFC 5227 announcements, RFC 4861 section 7.2.6). */
  announce(link: string, addresses: readonly Address[]): Promise<void>;
  /** Number of flows that are not over (see Flow.closing) for each value of this part of the mark; of all, or `only` of these. */
  countFlows(mask: number, only?: MarkFilter): Promise<Map<number, number>>;
  flows(filter: MarkFilter): AsyncIterable<readonly Flow[]>;
  /** Ends the flows with this mark, in the kernel; answers how many there were that were not over. */
  deleteFlows(filter: MarkFilter): Promise<number>;
  /** Ends precisely this flow; false where it had ended by itself. */
  deleteFlow(flow: Flow): Promise<boolean>;
  /**
   * From now on these, and no others, are left to be done when this process has died or the kernel was closed; not where
   * another director is there by then. Somebody else has to survive for it: it is a help, not a promise.
   */
  bequeath(bequests: readonly Bequest[]): void;
  /**
   * Counters of a set's elements, by key; of all, or of `only` these. It may be the same map as before while nothing has
   * been counted.
   */
  counters(set: string, only?: ReadonlySet<string>): Promise<ReadonlyMap<string, Traffic>>;
  /** What this host lacks to do the work: one sentence each, with how to get it. */
  missing(): Promise<string[]>;
  close(): Promise<void>;
}

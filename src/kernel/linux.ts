import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { KernelError } from '../lib/errors.ts';
import type { Address } from '../model/address.ts';
import type { Choice, KernelState } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import { Neighbours } from './announce.ts';
import { applier } from './apply.ts';
import { activeMembers, prepareChoice } from './choice.ts';
import { missingParts } from './host.ts';
import type { Variant } from './iptables/binaries.ts';
import { Iptables } from './iptables/iptables.ts';
import type { WantedJump } from './iptables/parse-save.ts';
import type { Flow, Kernel, LinkInfo, LinkTraffic, MarkFilter, Scope, Swap, Traffic } from './kernel.ts';
import { LinkClient } from './links/client.ts';
import { linkTraffic } from './links/traffic.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkConnection } from './netlink/connection.ts';
import { ConntrackClient } from './netlink/conntrack/client.ts';
import { rulesetGeneration } from './netlink/generation.ts';
import { IpsetClient } from './netlink/ipset/client.ts';
import { nameIpsetErrno } from './netlink/ipset/errors.ts';
import { SET_PREFIX, observe } from './observe.ts';
import { readSysctl } from './sysctl.ts';

export interface LinuxKernelOptions {
  readonly variant: Variant;
  /** Where the layout wants its jumps; what is observed is told against it. */
  readonly jumps: readonly WantedJump[];
  readonly clock: Clock;
  /** Failures of what goes on after its call has returned: announcements. */
  readonly onError: (error: unknown) => void;
}

/** How long a sum of iptables-legacy's rules is good for; milliseconds. */
const LEGACY_PRINT_MS = 700;

/** The kernel of the network namespace that this process is in. Opens its sockets when they are first needed. */
export class LinuxKernel implements Kernel {
  // Families of requests have sockets of their own, so that none waits behind another's dump.
  readonly #connections = {
    route: NetlinkConnection.open(NETLINK_ROUTE),
    ipset: NetlinkConnection.open(NETLINK_NETFILTER, { nameErrno: nameIpsetErrno }),
    conntrack: NetlinkConnection.open(NETLINK_NETFILTER),
    generation: NetlinkConnection.open(NETLINK_NETFILTER),
  };
  readonly #links = new LinkClient(this.#connections.route);
  readonly #ipset = new IpsetClient(this.#connections.ipset);
  readonly #conntrack = new ConntrackClient(this.#connections.conntrack);
  readonly #iptables: Iptables;
  readonly #neighbours: Neighbours;
  readonly #jumps: readonly WantedJump[];
  readonly #clock: Clock;
  readonly #apply: (operation: Operation) => Promise<void>;

  #legacy: { at: number; print: Promise<string> } = { at: 0, print: Promise.resolve('') };

  private constructor({ variant, jumps, clock, onError }: LinuxKernelOptions) {
    this.#iptables = new Iptables(variant);
    this.#neighbours = new Neighbours(this.#links, onError);
    this.#jumps = jumps;
    this.#clock = clock;
    this.#apply = applier({
      links: this.#links,
      ipset: this.#ipset,
      iptables: this.#iptables,
      neighbours: this.#neighbours,
      now: () => clock.now(),
    });
  }

  static open(options: LinuxKernelOptions): LinuxKernel {
    return new LinuxKernel(options);
  }

  observe(scope: Scope): Promise<KernelState> {
    const parts = { links: this.#links, ipset: this.#ipset, iptables: this.#iptables, jumps: this.#jumps };
    return observe({ ...parts, now: () => this.#clock.now() }, scope);
  }

  apply(operation: Operation): Promise<void> {
    return this.#apply(operation);
  }

  prepareChoice(choice: Choice): Promise<{ commit(): Promise<Swap> }> {
    return prepareChoice(this.#ipset, choice, this.#clock.now());
  }

  async generation(): Promise<number | null> {
    return (await this.#iptables.backend()) === 'nft'
      ? rulesetGeneration(this.#connections.generation)
      : null;
  }

  async fingerprint(sysctls: readonly string[]): Promise<string> {
    const [rules, links, addresses, sets, choice] = await Promise.all([
      this.#rulesPrint(),
      this.#links.links(),
      this.#links.addresses(),
      this.#ipset.heads(SET_PREFIX),
      activeMembers(this.#ipset),
    ]);
    return JSON.stringify([rules, links, addresses, sets, choice, sysctls.map(readSysctl)]);
  }

  /** iptables-legacy has no generation: what it holds is read and summed up, which costs more and is done less often. */
  async #rulesPrint(): Promise<string> {
    const generation = await this.generation();
    if (generation !== null) return String(generation);
    const now = this.#clock.now();
    if (now - this.#legacy.at >= LEGACY_PRINT_MS) this.#legacy = { at: now, print: this.#legacyPrint() };
    return this.#legacy.print;
  }

  async #legacyPrint(): Promise<string> {
    const saved = await Promise.all(([4, 6] as const).map((family) => this.#iptables.save(family)));
    return createHash('sha256')
      .update(saved.join().replaceAll(/^#.*|\[\d+:\d+\]/gm, ''))
      .digest('hex');
  }

  async links(): Promise<LinkInfo[]> {
    const links = await this.#links.links();
    const names = new Map(links.map(({ index, name }) => [index, name]));
    return links.map(({ name, index, mac, up, masterIndex, mtu }) => {
      const master = masterIndex === null ? null : (names.get(masterIndex) ?? null);
      return { name, index, mac, up, master, mtu };
    });
  }

  linkTraffic(): Promise<Map<string, LinkTraffic>> {
    return linkTraffic();
  }

  announce(link: string, addresses: readonly Address[]): Promise<void> {
    return this.#neighbours.announce(link, addresses);
  }

  countFlows(mask: number, only?: number): Promise<Map<number, number>> {
    return this.#conntrack.count(mask, only);
  }

  flows(filter: MarkFilter): AsyncIterable<readonly Flow[]> {
    return this.#conntrack.flows(filter);
  }

  deleteFlows(filter: MarkFilter): Promise<number> {
    return this.#conntrack.deleteByMark(filter);
  }

  deleteFlow(flow: Flow): Promise<boolean> {
    return this.#conntrack.deleteFlow(flow);
  }

  async counters(set: string): Promise<Map<string, Traffic>> {
    const listed = await this.#ipset.get(set, this.#clock.now());
    if (listed === null) {
      throw new KernelError(`the counters of set ${set} could not be read: there is no such set`, {
        code: 'ENOENT',
        hint: 'the next reconcile makes it',
      });
    }
    return new Map(listed.elements.map(({ key, packets, bytes }) => [key, { packets, bytes }]));
  }

  missing(): Promise<string[]> {
    return missingParts({ iptables: this.#iptables, ipset: this.#ipset, conntrack: this.#conntrack });
  }

  async close(): Promise<void> {
    await this.#neighbours.close();
    for (const connection of Object.values(this.#connections)) connection.close();
  }
}

import type { Clock } from '../lib/clock.ts';
import { KernelError } from '../lib/errors.ts';
import type { Address } from '../model/address.ts';
import type { Choice, KernelState } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import { Neighbours } from './announce.ts';
import { applier } from './apply.ts';
import { CHOICE_SETS } from './banks.ts';
import { choiceIn, Choosing } from './choice.ts';
import { Fingerprint } from './fingerprint.ts';
import { missingParts } from './host.ts';
import type { Variant } from './iptables/binaries.ts';
import { Iptables } from './iptables/iptables.ts';
import type { WantedJump } from './iptables/parse-save.ts';
import { TableReader } from './iptables/tables.ts';
import type {
  Bequest,
  Flow,
  Kernel,
  LinkInfo,
  LinkTraffic,
  MarkFilter,
  Prints,
  Scope,
  Swap,
  Traffic,
} from './kernel.ts';
import { LinkClient } from './links/client.ts';
import { openRouteConnection } from './links/route.ts';
import { linkTraffic } from './links/traffic.ts';
import { NETLINK_NETFILTER, NetlinkConnection } from './netlink/connection.ts';
import { ConntrackClient } from './netlink/conntrack/client.ts';
import type { FlowTable } from './netlink/conntrack/thread.ts';
import { rulesetGeneration } from './netlink/generation.ts';
import { IpsetClient } from './netlink/ipset/client.ts';
import { nameIpsetErrno } from './netlink/ipset/errors.ts';
import type { OpenSocket } from './netlink/socket.ts';
import { observe } from './observe.ts';

export interface LinuxKernelOptions {
  readonly variant: Variant;
  /** Where the layout wants its jumps; what is observed is told against it. */
  readonly jumps: readonly WantedJump[];
  readonly clock: Clock;
  /** Failures of what goes on after its call has returned: announcements. */
  readonly onError: (error: unknown) => void;
  /** Where sockets for rtnetlink are opened; in this thread unless said. */
  readonly openRoute?: OpenSocket;
  /** Where connections are asked for; in this thread unless said. */
  readonly flowTable?: FlowTable;
}

/** The kernel of the network namespace that this process is in. Opens its sockets when they are first needed. */
export class LinuxKernel implements Kernel {
  // Families of requests have sockets of their own, so that none waits behind another's dump.
  readonly #connections = {
    ipset: NetlinkConnection.open(NETLINK_NETFILTER, { nameErrno: nameIpsetErrno }),
    lists: NetlinkConnection.open(NETLINK_NETFILTER, { nameErrno: nameIpsetErrno }),
    conntrack: NetlinkConnection.open(NETLINK_NETFILTER),
    generation: NetlinkConnection.open(NETLINK_NETFILTER),
  };
  readonly #route: NetlinkConnection;
  readonly #links: LinkClient;
  readonly #ipset = new IpsetClient(this.#connections.ipset);
  readonly #choosing = new Choosing(this.#ipset);
  /** For looks at thousands of sets, which take long: no flip waits behind one. */
  readonly #lists = new IpsetClient(this.#connections.lists);
  readonly #conntrack: FlowTable;
  readonly #iptables: Iptables;
  readonly #neighbours: Neighbours;
  readonly #tables: TableReader;
  readonly #fingerprint: Fingerprint;
  readonly #clock: Clock;
  readonly #apply: (operation: Operation) => Promise<void>;

  private constructor({ variant, jumps, clock, onError, openRoute, flowTable }: LinuxKernelOptions) {
    this.#conntrack = flowTable ?? new ConntrackClient(this.#connections.conntrack);
    this.#route = openRouteConnection(openRoute);
    this.#links = new LinkClient(this.#route);
    this.#iptables = new Iptables(variant);
    this.#neighbours = new Neighbours(this.#links, onError);
    this.#clock = clock;
    const [links, ipset, iptables] = [this.#links, this.#ipset, this.#iptables];
    const choosing = this.#choosing;
    const generation = (): Promise<number | null> => this.generation();
    this.#tables = new TableReader({ iptables, jumps, generation });
    this.#fingerprint = new Fingerprint({ links, ipset: this.#lists, iptables, clock, generation });
    this.#apply = applier({
      ...{ links, ipset, choosing, iptables, neighbours: this.#neighbours },
      now: () => clock.now(),
    });
  }

  static open(options: LinuxKernelOptions): LinuxKernel {
    return new LinuxKernel(options);
  }

  observe(scope: Scope): Promise<KernelState> {
    const parts = { links: this.#links, ipset: this.#lists, tables: this.#tables };
    return observe({ ...parts, now: () => this.#clock.now() }, scope);
  }

  apply(operation: Operation): Promise<void> {
    return this.#apply(operation);
  }

  prepareChoice(choice: Choice): Promise<{ commit(): Promise<Swap> }> {
    return this.#choosing.prepare(choice, this.#clock.now());
  }

  async generation(): Promise<number | null> {
    return (await this.#iptables.backend()) === 'nft'
      ? rulesetGeneration(this.#connections.generation)
      : null;
  }

  async choice(): Promise<Choice | null> {
    const now = this.#clock.now();
    const listed = await Promise.all([...CHOICE_SETS].map((name) => this.#lists.get(name, now)));
    return choiceIn(listed.filter((set) => set !== null));
  }

  /**
   * Whether a change of rules may have to wait for whoever holds /run/xtables.lock (iptables-legacy(8), -w); false where
   * there is no iptables.
   */
  async locksRules(): Promise<boolean> {
    return (await this.#iptables.backend().catch(() => 'none')) === 'legacy';
  }

  fingerprint(sysctls: readonly string[]): Promise<Prints> {
    return this.#fingerprint.of(sysctls);
  }

  print(sysctls: readonly string[]): Promise<string> {
    return this.#fingerprint.print(sysctls);
  }

  onDisturbed(callback: () => void): void {
    this.#fingerprint.onDisturbed(callback);
  }

  tells(): boolean {
    return this.#fingerprint.tells();
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

  countFlows(mask: number, only?: MarkFilter): Promise<Map<number, number>> {
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

  bequeath(bequests: readonly Bequest[]): void {
    this.#fingerprint.bequeath(bequests);
  }

  async counters(set: string, only?: ReadonlySet<string>): Promise<ReadonlyMap<string, Traffic>> {
    const counters = await this.#lists.counters(set, only);
    if (counters === null) {
      throw new KernelError(`the counters of set ${set} could not be read: there is no such set`, {
        code: 'ENOENT',
        hint: 'the next reconcile makes it',
      });
    }
    return counters;
  }

  missing(): Promise<string[]> {
    return missingParts({
      iptables: this.#iptables,
      tables: this.#tables,
      ipset: this.#ipset,
      conntrack: this.#conntrack,
    });
  }

  async close(): Promise<void> {
    this.#fingerprint.close();
    await this.#neighbours.close();
    for (const connection of [this.#route, ...Object.values(this.#connections)]) connection.close();
  }
}

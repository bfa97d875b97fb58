import { randomUUID } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { Address } from '../model/address.ts';
import type { Choice, KernelState } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import { reduce } from './fake/apply.ts';
import { CHOICE_SETS } from './banks.ts';
import { choiceCommit, choiceOf, choicePrepare } from './fake/choice.ts';
import { isAlive } from './fake/elements.ts';
import { FakeHost } from './fake/host.ts';
import { requireLink } from './fake/links.ts';
import { linkInfos, observeState } from './fake/observe.ts';
import type { PlacedJump } from './fake/rules.ts';
import { setOf } from './fake/sets.ts';
import { refusal } from './fake/state.ts';
import type { FakeState } from './fake/state.ts';
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

export interface FakeKernelOptions {
  readonly clock: Clock;
  /** The layout's jumps, to tell whether one stands where it should. */
  readonly jumps?: readonly PlacedJump[];
  /** `legacy`: there is no ruleset generation. */
  readonly variant?: 'nft' | 'legacy';
  /** Settings that the host has besides forwarding, which is off, and those of interfaces. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** What the host lacks. */
  readonly missing?: readonly string[];
}

/** Where a fault can be put: at a kind of operation, or at another call. */
export type FaultPoint =
  | Operation['kind']
  | 'observe'
  | 'prepare'
  | 'commit'
  | 'generation'
  | 'links'
  | 'announce'
  | 'countFlows'
  | 'flows'
  | 'deleteFlows'
  | 'deleteFlow'
  | 'counters';

export interface Announcement {
  readonly link: string;
  readonly address: string;
}

/**
 * A kernel in memory that refuses what the real one refuses. Each change is made on a copy that is kept only if all
 * of it succeeded. `flipMicros` is 0: the clock that was passed in stands still during a commit.
 */
export class FakeKernel extends FakeHost implements Kernel {
  /** What was told to the neighbours, oldest first. */
  readonly announcements: Announcement[] = [];
  bequests: readonly Bequest[] = [];
  readonly #options: Required<Pick<FakeKernelOptions, 'jumps' | 'variant' | 'missing'>>;
  readonly #faults: { readonly point: FaultPoint; readonly error: Error }[] = [];
  readonly #host = randomUUID();
  #preparation = 0;
  #writes = 0;
  #closed = false;

  constructor({ clock, jumps = [], variant = 'nft', sysctls = {}, missing = [] }: FakeKernelOptions) {
    super(clock, sysctls);
    this.#options = { jumps, variant, missing };
  }

  /** How many calls changed something: operations, ended flows; a preparation and its commit are two. */
  get writes(): number {
    return this.#writes;
  }

  /** The next call of this kind fails with this error and changes nothing. Several wait for their turn. */
  failNext(point: FaultPoint, error: Error): void {
    this.#faults.push({ point, error });
  }

  observe(scope: Scope): Promise<KernelState> {
    return this.#answer('observe', () =>
      observeState(this.state, scope, this.#options.jumps, this.clock.now()),
    );
  }

  apply(operation: Operation): Promise<void> {
    return this.#answer(operation.kind, () => {
      const generation = this.rulesGeneration;
      const changed = this.#change((state) => reduce(state, operation, this.clock.now()));
      if (operation.kind === 'rules') this.countCommits(generation, operation.tables.length);
      if (operation.kind.startsWith('choice-')) this.#preparation++;
      if (changed && operation.kind === 'address-add' && operation.address.announce) {
        this.#announce(operation.address.link, [operation.address.address.address]);
      }
    });
  }

  prepareChoice(choice: Choice): Promise<{ commit(): Promise<Swap> }> {
    return this.#answer('prepare', () => {
      this.#change((state) => choicePrepare(state, choice, this.clock.now()));
      const preparation = ++this.#preparation;
      return { commit: () => this.#answer('commit', () => this.#commit(preparation)) };
    });
  }

  #commit(preparation: number): Swap {
    if (preparation !== this.#preparation) {
      throw refusal('ESTALE', 'this choice was committed already, or another one was prepared since');
    }
    this.#change(choiceCommit);
    this.#preparation++;
    return { flipMicros: 0, familySkewMicros: 0 };
  }

  fingerprint(): Promise<Prints> {
    return this.#answer('generation', () => ({
      choice: this.dump((set) => CHOICE_SETS.has(set)),
      rest: `${this.rulesGeneration} ${this.dump((set) => !CHOICE_SETS.has(set))}`,
    }));
  }

  choice(): Promise<Choice | null> {
    return this.#answer('observe', () => choiceOf(this.state, this.clock.now()));
  }

  /** A fake host that is started again is another one. */
  print(): Promise<string> {
    return this.#answer('generation', () => `${this.#host} ${this.rulesGeneration} ${this.dump()}`);
  }

  /** Nobody tells here: whoever wants to know asks. */
  onDisturbed(): void {
    // Never called.
  }

  tells(): boolean {
    return false;
  }

  generation(): Promise<number | null> {
    return this.#answer('generation', () => (this.#options.variant === 'nft' ? this.rulesGeneration : null));
  }

  links(): Promise<LinkInfo[]> {
    return this.#answer('links', () => linkInfos(this.state));
  }

  /** Nothing crosses this kernel's links. */
  linkTraffic(): Promise<Map<string, LinkTraffic>> {
    const nothing = { packets: 0, bytes: 0 };
    return this.#answer(
      'links',
      () =>
        new Map(
          linkInfos(this.state).map(({ name }) => [name, { received: nothing, sent: nothing }] as const),
        ),
    );
  }

  announce(link: string, addresses: readonly Address[]): Promise<void> {
    return this.#answer('announce', () => {
      requireLink(this.state, link);
      this.#announce(
        link,
        addresses.map(({ text }) => text),
      );
    });
  }

  #announce(link: string, addresses: readonly string[]): void {
    this.announcements.push(...addresses.map((address) => ({ link, address })));
  }

  countFlows(mask: number, only?: MarkFilter): Promise<Map<number, number>> {
    return this.#answer('countFlows', () => this.connections.count(mask, only));
  }

  async *flows(filter: MarkFilter): AsyncIterable<readonly Flow[]> {
    const found = await this.#answer('flows', () => this.connections.select(filter));
    if (found.length > 0) yield found;
  }

  deleteFlows(filter: MarkFilter): Promise<number> {
    return this.#answer('deleteFlows', () => {
      const ended = this.connections.delete(filter);
      if (ended > 0) this.#writes++;
      return ended;
    });
  }

  deleteFlow(flow: Flow): Promise<boolean> {
    return this.#answer('deleteFlow', () => {
      const ended = this.connections.deleteOne(flow);
      if (ended) this.#writes++;
      return ended;
    });
  }

  /** Nobody survives here to carry it out. */
  bequeath(bequests: readonly Bequest[]): void {
    this.bequests = bequests;
  }

  counters(set: string, only?: ReadonlySet<string>): Promise<Map<string, Traffic>> {
    return this.#answer('counters', () => {
      const living = [...setOf(this.state, set).elements].filter(
        ([key, element]) => only?.has(key) !== false && isAlive(element, this.clock.now()),
      );
      return new Map(living.map(([key, { packets, bytes }]) => [key, { packets, bytes }]));
    });
  }

  missing(): Promise<string[]> {
    return Promise.resolve([...this.#options.missing]);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** Keeps the new state only if making it did not throw; answers whether it differs. */
  #change(reducer: (state: FakeState) => FakeState): boolean {
    const next = reducer(this.state);
    if (next === this.state) return false;
    this.state = next;
    this.#writes++;
    return true;
  }

  /** Throwing in the executor rejects. */
  #answer<T>(point: FaultPoint, give: () => T): Promise<T> {
    return new Promise((resolve) => {
      if (this.#closed) throw refusal('EBADF', `${point}: this kernel was closed`);
      const index = this.#faults.findIndex((fault) => fault.point === point);
      const [fault] = index === -1 ? [] : this.#faults.splice(index, 1);
      if (fault !== undefined) throw fault.error;
      resolve(give());
    });
  }
}

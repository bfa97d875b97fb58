import type { Flow, Kernel, MarkFilter } from '../kernel/kernel.ts';
import type { Clock } from '../lib/clock.ts';
import { SerialQueue } from '../lib/queue.ts';
import { Turn } from '../lib/turn.ts';
import type { Network } from '../model/address.ts';
import { contains, formatNetwork } from '../model/address.ts';
import { decodeMark, encodeMark } from '../model/mark.ts';
import type { ServiceState, Slot } from '../model/state.ts';
import { liveSlot, otherSlot } from '../model/state.ts';
import type { Engine } from '../switchover/engine.ts';
import type { Counters } from './counters.ts';
import { readCounters, totalOf } from './counters.ts';

/** While a trial is on, scrapes may be too far apart to see what one ended with. Milliseconds. */
const DURING_TRIALS_MS = 1000;
/** The kernel ends a trial on its own clock, in whole seconds: around its deadline nobody can say who is dark. */
const UNSURE_MS = 3000;
/**
 * Services whose connections are asked for alone at one scrape: each is a walk through the host's conntrack table, in
 * one piece (11 ms for 262,144 empty buckets, which is what a large host has).
 */
const WALKS = 2;
/** Open connections among which those of many services are looked for together, in one walk. */
const FEW = 2000;

/** What was seen of a service's dark DomU. */
interface Known {
  readonly domu: string;
  /** Connections that had been directed to it. */
  readonly opened: number;
  /** Open ones from others than testers; null where nobody has looked. */
  readonly strangers: ReadonlySet<string> | null;
  readonly testers: readonly Network[];
}

/**
 * Counts connections of customers that reached a dark DomU through the service's address, which no switch should ever
 * let happen. The kernel counts each directed connection once (`dir-new`); this looks at the dark DomUs' counters at
 * each scrape, right after each flip and each second of a trial.
 *
 * - In a trial, with testing closed, or without testers nobody at all is directed to the dark DomU: whatever its counter
 *   has gained since the look that followed the flip's answer is misdirected.
 * - Where testers are directed to it, its open connections are looked at: each that was not there at the look before,
 *   and whose source is no tester's, is one.
 *
 * What began between the last look and the next flip is not counted, nor what began within 3 s of a trial's deadline,
 * nor, where there are testers, what had left conntrack by the next scrape. What is counted is so for certain.
 */
export class DarkWatch {
  readonly #engine: Engine;
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #queue = new SerialQueue();
  readonly #known = new Map<string, Known>();
  readonly #misdirected = new Map<string, number>();
  #flips = 0;
  #turn = 0;
  #cancel: () => void = () => undefined;

  constructor(engine: Engine, kernel: Kernel, clock: Clock) {
    this.#engine = engine;
    this.#kernel = kernel;
    this.#clock = clock;
    engine.events.on('flip', ({ services }) => this.#flipped(services));
  }

  /** Connections of the service's customers that reached its dark DomU. */
  misdirected(service: string): number {
    return this.#misdirected.get(service) ?? 0;
  }

  /**
   * Looks now; answers the counters of directed connections that it saw. `open`: how many flows each of our marks has.
   * Where testers are directed to the dark DomU it looks at connections one by one.
   */
  look({ open }: { open: OpenFlows }): Promise<Counters> {
    return this.#queue.run(() => this.#look(open));
  }

  #flipped(services: readonly string[]): void {
    this.#flips++;
    for (const name of services) this.#known.delete(name);
    this.#lookAtSome(({ service }) => services.includes(service.name));
    this.#whileOnTrial();
  }

  #whileOnTrial(): void {
    this.#cancel();
    this.#cancel = this.#clock.after(DURING_TRIALS_MS, () => {
      if (!this.#engine.states().some(isOnTrial)) return;
      this.#lookAtSome(isOnTrial);
      this.#whileOnTrial();
    });
  }

  /** At counters alone, and not at those of ten thousand services for the sake of one. */
  #lookAtSome(which: (state: ServiceState) => boolean): void {
    void this.#queue.run(() => this.#look(null, which)).catch(() => undefined);
  }

  async #look(
    open: OpenFlows | null,
    which: ((state: ServiceState) => boolean) | null = null,
  ): Promise<Counters> {
    const flips = this.#flips;
    const only = which === null ? undefined : addressesOf(this.#engine.states().filter(which));
    const counters = await readCounters(this.#kernel, 'new', only);
    // What was read before a flip says nothing about who is dark after it; the flip has asked for a look of its own.
    if (flips !== this.#flips) return counters;
    const all = this.#engine.states();
    const states = which === null ? all : all.filter(which);
    const turn = new Turn();
    const close: Look[] = [];
    for (const state of states) {
      const look = lookAt(state, counters);
      if (look === null) this.#known.delete(state.service.name);
      else if (!testersMayBeThere(state, this.#known.get(state.service.name))) this.#count(look);
      else if (open !== null && this.#needsWalk(look)) close.push(look);
      else this.#remember(state);
      if (!turn.isOver) continue;
      await turn.pass();
      if (flips !== this.#flips) return counters;
    }
    if (open !== null) await this.#lookClosely(close, open);
    if (which === null) this.#forget(all);
    return counters;
  }

  /** Those whose turn it is not are remembered until it is. */
  async #lookClosely(looks: readonly Look[], open: OpenFlows): Promise<void> {
    const { markMask } = this.#engine.config;
    const flips = this.#flips;
    const walks = this.#walksFor(looks, open, markMask);
    for (const { looks: some, filter } of walks) {
      const strangers = await this.#strangers(some, filter, markMask);
      if (flips !== this.#flips) return;
      for (const look of some) this.#compare(look, strangers.get(look.state.id) ?? new Set());
    }
    const walked = new Set(walks.flatMap(({ looks: some }) => some));
    for (const look of looks) if (!walked.has(look)) this.#remember(look.state);
  }

  /** All of slot b together, where that is little: the bit that says so is nobody else's. Of the others some, in turn. */
  #walksFor(looks: readonly Look[], open: OpenFlows, markMask: number): Walk[] {
    const bit = encodeMark({ id: 0, slot: 'b', protocol: 'tcp' }, markMask);
    const inB = [...open].reduce((sum, [mark, count]) => sum + ((mark & bit) === 0 ? 0 : count), 0);
    const together = inB > FEW ? [] : looks.filter(({ dark }) => dark === 'b');
    const others = looks.filter((look) => !together.includes(look));
    const alone = others.length <= WALKS ? others : this.#someOf(others);
    return [
      ...(together.length === 0 ? [] : [{ looks: together, filter: { value: bit, mask: bit } }]),
      ...alone.map((look) => ({ looks: [look], filter: filterFor(look, markMask) })),
    ];
  }

  #someOf(looks: readonly Look[]): Look[] {
    const from = this.#turn;
    this.#turn += WALKS;
    return Array.from({ length: WALKS }, (_, n) => looks[(from + n) % looks.length]).filter(
      (look) => look !== undefined,
    );
  }

  /** Nobody is directed to the dark DomU: whoever was is misdirected. */
  #count({ state, dark, opened }: Look): void {
    const { service, slots, trial } = state;
    const known = this.#known.get(service.name);
    const sure = trial?.confirmBy == null || trial.confirmBy - this.#clock.now() > UNSURE_MS;
    if (known?.domu === slots[dark].name && sure) this.#add(service.name, opened - known.opened);
    this.#known.set(service.name, { domu: slots[dark].name, opened, strangers: null, testers: [] });
  }

  #needsWalk({ state, dark, opened }: Look): boolean {
    const known = this.#known.get(state.service.name);
    return known?.domu !== state.slots[dark].name || known.strangers === null || known.opened !== opened;
  }

  #compare({ state, dark, opened }: Look, strangers: ReadonlySet<string>): void {
    const { service, slots } = state;
    const known = this.#known.get(service.name);
    const domu = slots[dark].name;
    if (known?.domu === domu && known.strangers !== null) {
      const before = known.strangers;
      this.#add(service.name, [...strangers].filter((id) => !before.has(id)).length);
    }
    this.#known.set(service.name, { domu, opened, strangers, testers: directedTesters(state) });
  }

  /** Nothing was compared: whoever tests by now is one more that the next look must know. */
  #remember(state: ServiceState): void {
    const known = this.#known.get(state.service.name);
    const directed = directedTesters(state);
    if (known === undefined || directed.every((source) => known.testers.includes(source))) return;
    const testers = new Map([...known.testers, ...directed].map((source) => [formatNetwork(source), source]));
    this.#known.set(state.service.name, { ...known, testers: [...testers.values()] });
  }

  /** By service's id, the connections to its dark DomU that are no tester's. */
  async #strangers(
    looks: readonly Look[],
    filter: MarkFilter,
    markMask: number,
  ): Promise<ReadonlyMap<number, ReadonlySet<string>>> {
    const found = new Map<number, Set<string>>();
    const testers = new Map(looks.map((look) => [look.state.id, this.#testersOf(look)]));
    const darkOf = new Map(looks.map(({ state, dark }) => [state.id, dark]));
    for await (const flows of this.#kernel.flows(filter)) {
      for (const flow of flows) {
        const mark = decodeMark(flow.mark, markMask);
        if (mark === null || darkOf.get(mark.id) !== mark.slot) continue;
        if (testers.get(mark.id)?.some((source) => contains(source, flow.from)) === true) continue;
        found.set(mark.id, (found.get(mark.id) ?? new Set()).add(idOf(flow)));
      }
    }
    return found;
  }

  /** Whose lease has ended since the last look may have come before that. */
  #testersOf({ state }: Look): Network[] {
    return [...directedTesters(state), ...(this.#known.get(state.service.name)?.testers ?? [])];
  }

  /** Less than before: the set was made anew, and nothing can be said. */
  #add(service: string, more: number): void {
    if (more > 0) this.#misdirected.set(service, this.misdirected(service) + more);
  }

  #forget(states: readonly ServiceState[]): void {
    const names = new Set(states.map(({ service }) => service.name));
    for (const map of [this.#known, this.#misdirected])
      for (const name of map.keys()) if (!names.has(name)) map.delete(name);
  }
}

/** Not over, by our part of their mark. */
export type OpenFlows = ReadonlyMap<number, number>;

interface Look {
  readonly state: ServiceState;
  readonly dark: Slot;
  readonly opened: number;
}

/** One walk through the host's connections. */
interface Walk {
  readonly looks: readonly Look[];
  readonly filter: MarkFilter;
}

/** Of both protocols. */
function filterFor({ state: { id }, dark }: Look, markMask: number): MarkFilter {
  const udp = encodeMark({ id: 0, slot: 'a', protocol: 'udp' }, markMask);
  return { value: encodeMark({ id, slot: dark, protocol: 'tcp' }, markMask), mask: (markMask & ~udp) >>> 0 };
}

const isOnTrial = ({ trial }: ServiceState): boolean => trial !== null;

const addressesOf = (states: readonly ServiceState[]): Set<string> =>
  new Set(
    states.flatMap(({ slots }) =>
      [slots.a, slots.b].flatMap(({ addresses }) => addresses.map(({ text }) => text)),
    ),
  );

const idOf = ({ family, id }: Flow): string => `${family}/${id}`;

/** Null where the kernel does not count: that must not look like a counter that was 0. */
function lookAt(state: ServiceState, counters: Counters): Look | null {
  const dark = otherSlot(liveSlot(state));
  const opened = totalOf(state.slots[dark], counters)?.packets;
  return opened === undefined ? null : { state, dark, opened };
}

/** Who is directed to the dark DomU: in a trial nobody, for testers' DomU is the live one then. */
export function directedTesters({ trial, testing, testers }: ServiceState): Network[] {
  return trial === null && testing === 'open' ? testers.map(({ source }) => source) : [];
}

/** Whoever tested at the last look may have come before this one. */
function testersMayBeThere(state: ServiceState, known: Known | undefined): boolean {
  return state.trial === null && directedTesters(state).length + (known?.testers.length ?? 0) > 0;
}

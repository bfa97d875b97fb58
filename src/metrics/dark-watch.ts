import type { Flow, Kernel } from '../kernel/kernel.ts';
import type { Clock } from '../lib/clock.ts';
import { SerialQueue } from '../lib/queue.ts';
import type { Network } from '../model/address.ts';
import { contains, formatNetwork } from '../model/address.ts';
import { encodeMark } from '../model/mark.ts';
import type { ServiceState, Slot } from '../model/state.ts';
import { liveSlot, otherSlot } from '../model/state.ts';
import type { Engine } from '../switchover/engine.ts';
import type { Counters } from './counters.ts';
import { readCounters, totalOf } from './counters.ts';

/** While a trial is on, scrapes may be too far apart to see what one ended with. Milliseconds. */
const DURING_TRIALS_MS = 1000;
/** The kernel ends a trial on its own clock, in whole seconds: around its deadline nobody can say who is dark. */
const UNSURE_MS = 3000;
/** Services whose connections are looked at one by one at a time: each is a walk through the host's conntrack table. */
const WALKS = 4;

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
   * Looks now; answers the counters of directed connections that it saw. `closely`: also at connections one by one,
   * where testers are directed to the dark DomU.
   */
  look({ closely }: { closely: boolean }): Promise<Counters> {
    return this.#queue.run(() => this.#look(closely));
  }

  #flipped(services: readonly string[]): void {
    this.#flips++;
    for (const name of services) this.#known.delete(name);
    void this.look({ closely: false }).catch(() => undefined);
    this.#whileOnTrial();
  }

  #whileOnTrial(): void {
    this.#cancel();
    this.#cancel = this.#clock.after(DURING_TRIALS_MS, () => {
      void this.look({ closely: false }).catch(() => undefined);
      if (this.#engine.states().some(({ trial }) => trial !== null)) this.#whileOnTrial();
    });
  }

  async #look(closely: boolean): Promise<Counters> {
    const flips = this.#flips;
    const counters = await readCounters(this.#kernel, 'new');
    // What was read before a flip says nothing about who is dark after it; the flip has asked for a look of its own.
    if (flips !== this.#flips) return counters;
    const states = this.#engine.states();
    const { markMask } = this.#engine.config;
    let walks = 0;
    for (const state of states) {
      const look = lookAt(state, counters);
      if (look === null) this.#known.delete(state.service.name);
      else if (!testersMayBeThere(state, this.#known.get(state.service.name))) this.#count(look);
      else if (closely && this.#needsWalk(look) && walks < WALKS) {
        walks++;
        const strangers = await this.#strangers(look, markMask);
        if (flips !== this.#flips) return counters;
        this.#compare(look, strangers);
      } else this.#remember(state);
    }
    this.#forget(states);
    return counters;
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
    if (known === undefined) return;
    const testers = new Map(
      [...known.testers, ...directedTesters(state)].map((source) => [formatNetwork(source), source]),
    );
    this.#known.set(state.service.name, { ...known, testers: [...testers.values()] });
  }

  async #strangers({ state, dark }: Look, markMask: number): Promise<Set<string>> {
    // Whose lease has ended since the last look may have come before that.
    const former = this.#known.get(state.service.name)?.testers ?? [];
    const testers = [...directedTesters(state), ...former];
    const found = new Set<string>();
    for (const protocol of ['tcp', 'udp'] as const) {
      const value = encodeMark({ id: state.id, slot: dark, protocol }, markMask);
      for await (const flows of this.#kernel.flows({ value, mask: markMask })) {
        for (const flow of flows)
          if (!testers.some((source) => contains(source, flow.from))) found.add(idOf(flow));
      }
    }
    return found;
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

interface Look {
  readonly state: ServiceState;
  readonly dark: Slot;
  readonly opened: number;
}

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

import type { Director } from '../switchover/director.ts';
import type { FlowHistoryView } from './contract.ts';

/** Between two samples while somebody watches, or a trial runs, and while nobody does. Milliseconds. */
const EVERY = 5000;
const EVERY_IDLE = 30_000;
/** So many samples are kept: ten minutes of them while somebody watches. */
const MOST = 120;

interface Sample {
  readonly at: number;
  /** By service, then by DomU. */
  readonly flows: ReadonlyMap<string, Readonly<Record<string, number>>>;
}

/** How many flows each DomU had over the last minutes, so that a page that was opened just now shows them, too. */
export class FlowHistory {
  readonly #director: Director;
  readonly #isWatched: () => boolean;
  readonly #samples: Sample[] = [];
  #timer: NodeJS.Timeout | undefined;
  #trial = false;
  #last = 0;

  constructor(director: Director, isWatched: () => boolean) {
    this.#director = director;
    this.#isWatched = isWatched;
    this.#timer = setInterval(() => void this.#maybeSample(), EVERY).unref();
  }

  /** Samples that are younger than `after` (milliseconds), oldest first. */
  view(after: number, service?: string): FlowHistoryView {
    const samples = this.#samples.filter(({ at }) => at > after);
    const services: Record<string, Record<string, (number | null)[]>> = {};
    for (const [name, now] of this.#samples.at(-1)?.flows ?? []) {
      if (service !== undefined && service !== name) continue;
      const domus = Object.keys(now).map((domu) => [
        domu,
        samples.map(({ flows }) => flows.get(name)?.[domu] ?? null),
      ]);
      services[name] = Object.fromEntries(domus) as Record<string, (number | null)[]>;
    }
    return { at: samples.map(({ at }) => new Date(at).toISOString()), services };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #maybeSample(): Promise<void> {
    const busy = this.#trial || this.#isWatched();
    const now = Date.now();
    if (!busy && now - this.#last < EVERY_IDLE) return;
    this.#last = now;
    // A sample that is missing is a gap in a picture; why is told by /readyz.
    await this.#sample(now).catch(() => undefined);
  }

  async #sample(at: number): Promise<void> {
    const snapshots = await this.#director.services();
    this.#trial = snapshots.some(({ state }) => state.trial !== null);
    const flows = new Map(
      snapshots.map(({ state, flows: { a, b } }) => [
        state.service.name,
        { [state.slots.a.name]: a, [state.slots.b.name]: b },
      ]),
    );
    this.#samples.push({ at, flows });
    if (this.#samples.length > MOST) this.#samples.shift();
  }
}

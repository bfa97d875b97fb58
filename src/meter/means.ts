import type { Direction } from './ledger.ts';

/** Timed packets of one vif and direction. */
export interface Timed {
  /** That were routed, and how long they took in all. */
  readonly packets: number;
  readonly nanos: number;
  /** That stayed on the bridge: nobody's routing. */
  readonly bridged: number;
}

export interface Mean {
  /** Null: none of its packets was routed yet. */
  readonly nanos: number | null;
  /** Part of the vif's packets that was routed, 0 to 1. */
  readonly routedShare: number;
}

/** An interval with fewer timed packets than this borrows from what was known before. */
const ENOUGH = 50;

/**
 * What a packet costs, by vif and direction, and by service for vifs of which nothing is known yet. An interval with
 * few samples moves the last known mean only as far as its samples weigh.
 */
export class Means {
  readonly #byVif = new Map<string, Mean>();
  readonly #byService = new Map<string, Mean>();

  learn(service: string, index: number, direction: Direction, timed: Timed): void {
    if (timed.packets + timed.bridged === 0) return;
    const key = `${index} ${direction}`;
    this.#byVif.set(key, blend(this.#byVif.get(key), timed));
    this.#byService.set(
      `${service} ${direction}`,
      blend(this.#byService.get(`${service} ${direction}`), timed),
    );
  }

  /** The vif's, else its service's; null where nothing was ever timed. */
  of(service: string, index: number, direction: Direction): Mean | null {
    return this.#byVif.get(`${index} ${direction}`) ?? this.#byService.get(`${service} ${direction}`) ?? null;
  }

  /** Forgets vifs that are gone: an index may be given again. */
  keep(indexes: ReadonlySet<number>): void {
    for (const key of this.#byVif.keys()) {
      if (!indexes.has(Number.parseInt(key, 10))) this.#byVif.delete(key);
    }
  }
}

function blend(before: Mean | undefined, { packets, nanos, bridged }: Timed): Mean {
  const seen = packets + bridged;
  const share = packets / seen;
  const mean = packets === 0 ? null : nanos / packets;
  if (before === undefined) return { nanos: mean, routedShare: share };
  return {
    nanos:
      mean === null || before.nanos === null ? (mean ?? before.nanos) : weighed(before.nanos, mean, packets),
    routedShare: weighed(before.routedShare, share, seen),
  };
}

function weighed(before: number, now: number, samples: number): number {
  const weight = Math.min(samples / ENOUGH, 1);
  return before + (now - before) * weight;
}

import type { LinkCounters } from '../kernel/links/counters.ts';

export interface Carried {
  readonly packets: number;
  readonly bytes: number;
}

/** What one link carried since the last look. As a DomU behind it sees it: `in` is towards the DomU. */
export interface LinkTraffic {
  readonly index: number;
  readonly name: string;
  readonly in: Carried;
  readonly out: Carried;
}

/** Turns counters into differences, by interface index: a name may be given to another link. */
export class TrafficReader {
  #last: ReadonlyMap<number, LinkCounters> | null = null;

  /**
   * The first look finds nothing carried. A link that was not there at the last one is new, and all of its counters are
   * of the time since then; so are those of one that counts anew.
   */
  next(links: readonly LinkCounters[]): LinkTraffic[] {
    const last = this.#last;
    this.#last = new Map(links.map((link) => [link.index, link]));
    return links.map((link) => {
      const before = last === null ? link : last.get(link.index);
      return {
        index: link.index,
        name: link.name,
        in: since(before?.sent, link.sent),
        out: since(before?.received, link.received),
      };
    });
  }
}

function since(before: Carried | undefined, now: Carried): Carried {
  if (before === undefined || now.packets < before.packets || now.bytes < before.bytes) return now;
  return { packets: now.packets - before.packets, bytes: now.bytes - before.bytes };
}

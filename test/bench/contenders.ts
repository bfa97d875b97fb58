import type { Peer } from './peers/peer.ts';
import { Place } from './place.ts';
import type { Programs } from './programs.ts';

/** A peer in a place of its own, ready. */
export interface Contender {
  readonly peer: Peer;
  readonly place: Place;
  readonly services: number;
  /** Milliseconds that it took to load all services. */
  readonly startedIn: number;
}

/** Who could not take so many services, and what it said. */
export interface Absent {
  readonly peer: string;
  readonly services: number;
  readonly why: string;
}

export interface Field {
  readonly contenders: readonly Contender[];
  readonly absent: readonly Absent[];
}

export interface FieldOptions {
  readonly services: number;
  /** Which of them have DomUs. */
  readonly witnesses: readonly number[];
  /** Milliseconds that each has to start. */
  readonly within: number;
}

/** Each peer in its own place, one started after the other. With one service whoever does not start is an error. */
export async function assemble(
  programs: Programs,
  peers: readonly Peer[],
  { services, witnesses, within }: FieldOptions,
): Promise<Field> {
  const contenders: Contender[] = [];
  const absent: Absent[] = [];
  for (const peer of peers) {
    const place = await Place.create(programs, witnesses);
    try {
      const since = performance.now();
      const limit = within * (peer.patience ?? 1);
      await bounded(peer.start(place, services, limit), `${peer.name} with ${services} services`, limit);
      contenders.push({ peer, place, services, startedIn: performance.now() - since });
    } catch (error) {
      await place.destroy();
      if (services === 1) {
        await disband({ contenders, absent });
        throw error;
      }
      absent.push({ peer: peer.name, services, why: (error as Error).message.slice(0, 300) });
    }
  }
  return { contenders, absent };
}

export async function disband({ contenders }: Field): Promise<void> {
  for (const { place } of contenders) await place.destroy();
}

/** Others' work may go on: what it is done in is taken away by whoever is told. */
async function bounded(work: Promise<void>, what: string, within: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: more than ${within / 1000} s`)), within);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** Another one first each time. */
export function turned<T>(all: readonly T[], round: number): T[] {
  return all.map((_, at) => all[(at + round) % all.length] as T);
}

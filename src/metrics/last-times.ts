import type { JournalKind, JournalRecord } from '../model/records.ts';
import type { Engine } from '../switchover/engine.ts';
import { MARKED } from './snapshot.ts';
import type { Marked } from './snapshot.ts';

const NEVER: ReadonlyMap<Marked, number> = new Map();

/** When each kind of thing happened last to each service, by the journal. Prometheus has no journal; graphs mark these. */
export class LastTimes {
  readonly #times = new Map<string, Map<Marked, number>>();

  constructor({ events }: Pick<Engine, 'events'>) {
    events.on('journal', (record) => this.#note(record));
  }

  /** Milliseconds since the epoch. */
  of(service: string): ReadonlyMap<Marked, number> {
    return this.#times.get(service) ?? NEVER;
  }

  #note({ at, kind, services }: JournalRecord): void {
    for (const service of services) {
      if (kind === 'remove') this.#times.delete(service);
      if (!isMarked(kind)) continue;
      const times = this.#times.get(service) ?? new Map<Marked, number>();
      this.#times.set(service, times.set(kind, at));
    }
  }
}

const isMarked = (kind: JournalKind): kind is Marked => (MARKED as readonly JournalKind[]).includes(kind);

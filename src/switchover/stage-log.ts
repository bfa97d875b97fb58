import { DirectorError } from '../lib/errors.ts';
import type { JournalKind, JournalRecord } from '../model/records.ts';
import { describeMade } from '../model/stage.ts';
import type { Made, StagedVolume, StageRecord, VolumeCheck } from '../model/stage.ts';
import type { Progress } from '../stage/apply.ts';
import type { Context } from './context.ts';
import { journal, publish } from './context.ts';
import type { Actor } from './director.ts';

type Changes = Partial<Omit<StageRecord, 'id' | 'service' | 'domu' | 'from'>>;

const same = (a: Made, b: Made): boolean => JSON.stringify(a) === JSON.stringify(b);

/** A stage's record, which is on the disk after each change of it. */
export class StageLog implements Progress {
  readonly #context: Context;
  #record: StageRecord;

  constructor(context: Context, record: StageRecord) {
    this.#context = context;
    this.#record = record;
  }

  get record(): StageRecord {
    return this.#record;
  }

  update(changes: Changes): void {
    const record = { ...this.#record, ...changes };
    this.#context.store.write(() => this.#context.store.saveStage(record));
    this.#record = record;
  }

  /** The same, with its entry in the journal. */
  tell(changes: Changes, entry: { kind: JournalKind; actor: Actor; text: string }): JournalRecord {
    const { store } = this.#context;
    const record = { ...this.#record, ...changes };
    const { id, service, domu, from } = record;
    const journalled = store.write(() => {
      store.saveStage(record);
      const details = { stage: id, domu, from };
      return journal(this.#context, entry.kind, [service], entry.actor, entry.text, details);
    });
    this.#record = record;
    publish(this.#context, journalled);
    return journalled;
  }

  begin(doing: string, made: Made | null): void {
    this.update({ doing, made: made === null ? this.#record.made : [...this.#record.made, made] });
    this.#changed();
  }

  gone(made: Made): void {
    this.update({ made: this.#record.made.filter((each) => !same(each, made)) });
  }

  checked(volume: StagedVolume, check: VolumeCheck): void {
    const volumes = this.#record.volumes.map((each) =>
      each.name === volume.name ? { ...each, check } : each,
    );
    this.update({ volumes });
  }

  note(text: string): void {
    this.update({ notes: [...this.#record.notes, text] });
  }

  #changed(): void {
    this.#context.events.emit('service', this.#record.service);
  }
}

/** Where the disk takes no note of what was taken away, that is done all the same; a later start finds nothing there. */
export function goneOn(log: StageLog, context: Context): (made: Made) => void {
  return (made) => {
    try {
      log.gone(made);
    } catch (error) {
      context.events.emit('reconcile-failed', { error });
    }
  };
}

export const leftText = (left: readonly { made: Made; why: string }[]): string[] =>
  left.map(({ made, why }) => `${describeMade(made)}: ${why}`);

export function hintOf(error: unknown): string | null {
  return error instanceof DirectorError ? (error.hint ?? null) : null;
}

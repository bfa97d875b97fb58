import { DirectorError } from '../lib/errors.ts';
import type { StageRecord } from '../model/stage.ts';
import { overdue } from '../stage/keep.ts';
import { fail } from './stage.ts';
import { StageLog } from './stage-log.ts';
import { goOn, settingsOf } from './staging.ts';
import type { Staging } from './staging.ts';
import { prune, takeAway } from './unstage.ts';

const EVERY_MS = 3_600_000;
const DIRECTOR = { by: 'director' };

/** Goes on with what an earlier director had under way, and removes what was kept for long enough. */
export class StageKeeper {
  readonly #staging: Staging;
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(staging: Staging) {
    this.#staging = staging;
  }

  /** Whatever was under way is reserved when this returns, and is seen to from then on. */
  start(): void {
    const { context } = this.#staging;
    for (const record of context.store.stages()) {
      if (record.state !== 'staging' && record.state !== 'unstaging') continue;
      context.reserved.set(record.service, `what was under way with ${record.domu} is being taken away`);
      goOn(this.#staging, record, () => this.#resume(record));
    }
    this.#after(1000);
  }

  async #resume(record: StageRecord): Promise<void> {
    const log = new StageLog(this.#staging.context, record);
    if (record.state === 'unstaging') return takeAway(this.#staging, log, false, DIRECTOR);
    const error = new DirectorError('the director ended meanwhile', {
      hint: `try again: "director stage ${record.service}"`,
    });
    return fail(this.#staging, log, error, DIRECTOR);
  }

  #after(ms: number): void {
    if (!this.#stopped) this.#cancel = this.#staging.context.clock.after(ms, () => void this.#prune());
  }

  async #prune(): Promise<void> {
    const { context } = this.#staging;
    try {
      const due = new Set(
        overdue(
          context.store.stages(),
          context.clock.now(),
          (service) => settingsOf(context, service)?.keep ?? null,
          (service) => context.entries.get(service)?.trial != null,
        ).map(({ id }) => id),
      );
      if (due.size > 0) await prune(this.#staging, ({ id }) => due.has(id), DIRECTOR);
    } catch (error) {
      context.events.emit('reconcile-failed', { error });
    }
    this.#after(EVERY_MS);
  }

  /** What is under way is called off and taken away; resolves when it is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    const runs = [...this.#staging.runs.values()];
    for (const { abort } of runs) abort.abort();
    await Promise.all(runs.map(({ ended }) => ended));
  }
}

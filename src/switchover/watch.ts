import { messageOf } from '../lib/errors.ts';
import type { Operation } from '../model/operation.ts';
import { SYSCTL } from '../plan/links.ts';
import { applyEntries } from './change.ts';
import { finish } from './confirm.ts';
import type { Context } from './context.ts';
import { journal, publish, stateOf } from './context.ts';
import { passDeadlines } from './deadlines.ts';
import { saveUnsaved } from './unsaved.ts';

/** How often the kernel is asked whether anybody has changed anything; milliseconds. */
const GLANCE_MS = 400;
/** How often everything is looked at, whatever that answer was. */
const WHOLE_MS = 10_000;
/** Repairs, or failures, that follow each other within this time are a fight. */
const FIGHT_MS = 15_000;
/** After so many of them each next one waits twice as long, up to the longest wait. */
const PATIENCE = 4;
const LONGEST_WAIT_MS = 30_000;

/** Notices what others change, and puts it back. */
export class Watch {
  readonly #context: Context;
  #cancel: () => void = () => undefined;
  #seen = '';
  #wholeAt = 0;
  #stopped = false;
  #strikes = 0;
  #struckAt = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  start(): void {
    const wait = Math.min(GLANCE_MS * 2 ** Math.max(this.#strikes - PATIENCE, 0), LONGEST_WAIT_MS);
    this.#cancel = this.#context.clock.after(wait, () => void this.#glance());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #glance(): Promise<void> {
    const context = this.#context;
    try {
      if (!context.down && (await this.#differs())) await context.queue.run(() => this.#repair());
    } catch (error) {
      this.#strike();
      context.events.emit('reconcile-failed', { error });
    }
    if (!this.#stopped) this.start();
  }

  /** Whoever changes the same thing again and again is not fought at full speed. */
  #strike(): void {
    const now = this.#context.clock.now();
    this.#strikes = now - this.#struckAt > FIGHT_MS + LONGEST_WAIT_MS ? 1 : this.#strikes + 1;
    this.#struckAt = now;
  }

  /** Looking needs no turn in the queue: nobody's switch waits because something else on this host has changed. */
  async #differs(): Promise<boolean> {
    const { clock, events, kernel, reconciler, store, unfinished, unsaved } = this.#context;
    if (unfinished.length + unsaved.length > 0) return true;
    const print = await kernel.fingerprint(Object.values(SYSCTL));
    if (print === this.#seen && clock.now() < this.#wholeAt) return false;
    const pending = await reconciler.pending(stateOf(this.#context));
    if (pending.length > 0) return true;
    // A disk that takes nothing is told by /readyz before somebody needs it.
    store.write(() => store.saveMeta('looked-at', String(clock.now())));
    // Taken before the look: what came between is another print next time.
    this.#seen = print;
    this.#wholeAt = clock.now() + WHOLE_MS;
    if (clock.now() - this.#struckAt > FIGHT_MS) this.#strikes = 0;
    events.emit('undisturbed', {});
    return false;
  }

  async #repair(): Promise<void> {
    const context = this.#context;
    if (context.down || this.#stopped) return;
    await passDeadlines(context);
    for (const unfinished of [...context.unfinished]) await finish(context, unfinished);
    const done: Operation[] = [];
    const stop = context.events.on('reconciled', ({ operations }) => done.push(...operations));
    try {
      await applyEntries(context, context.entries, true);
    } finally {
      stop();
    }
    if (done.length > 0) {
      this.#strike();
      this.#tell(done);
    }
    saveUnsaved(context);
  }

  #tell(operations: readonly Operation[]): void {
    const context = this.#context;
    const fight =
      this.#strikes > PATIENCE
        ? ` (${this.#strikes} times in a row: somebody changes it again and again; the director waits longer each time)`
        : '';
    const text = `put back what somebody else had changed: ${operations.map(({ why }) => why).join('; ')}${fight}`;
    try {
      const details = { operations: operations.map(({ kind, why }) => ({ kind, why })) };
      publish(
        context,
        context.store.write(() => journal(context, 'repair', [], { by: 'director' }, text, details)),
      );
    } catch (error) {
      context.events.emit('reconcile-failed', { error: new Error(`${text}, but ${messageOf(error)}`) });
    }
  }
}

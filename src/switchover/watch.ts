import { messageOf } from '../lib/errors.ts';
import type { Operation } from '../model/operation.ts';
import { applyEntries } from './change.ts';
import { finish } from './confirm.ts';
import type { Context } from './context.ts';
import { journal, publish } from './context.ts';

/** How often a number is asked for that tells whether anybody changed a rule; milliseconds. */
const GLANCE_MS = 500;
/** How often everything is looked at, whatever the number says: sets have none, nor has iptables-legacy. */
const WHOLE_MS = 10_000;

/** Notices what others change, and puts it back. */
export class Watch {
  readonly #context: Context;
  #cancel: () => void = () => undefined;
  #seen = '';
  #wholeAt = 0;
  #stopped = false;

  constructor(context: Context) {
    this.#context = context;
  }

  start(): void {
    this.#cancel = this.#context.clock.after(GLANCE_MS, () => void this.#glance());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #glance(): Promise<void> {
    const { clock, queue, unfinished, unsaved } = this.#context;
    try {
      const due = clock.now() >= this.#wholeAt || unfinished.length + unsaved.length > 0;
      if (due || (await this.#print()) !== this.#seen) await queue.run(() => this.#repair());
    } catch (error) {
      this.#context.events.emit('reconcile-failed', { error });
    }
    if (!this.#stopped) this.start();
  }

  /** Changes when rules do, and when an interface comes, goes, or changes its bridge. */
  async #print(): Promise<string> {
    const [generation, links] = await Promise.all([
      this.#context.kernel.generation(),
      this.#context.kernel.links(),
    ]);
    return `${generation ?? ''}|${links.map(({ name, index, master, up }) => `${name},${index},${master ?? ''},${up ? 1 : 0}`).join(';')}`;
  }

  async #repair(): Promise<void> {
    const context = this.#context;
    if (context.down || this.#stopped) return;
    for (const unfinished of [...context.unfinished]) await finish(context, unfinished);
    const before = await this.#print();
    const pending: Operation[] = [];
    const stop = context.events.on('reconciled', ({ operations }) => pending.push(...operations));
    try {
      await applyEntries(context, context.entries, true);
    } finally {
      stop();
    }
    // What came between the look and now is seen next time; so is what our own repair has changed.
    this.#seen = pending.length === 0 ? before : '';
    this.#wholeAt = context.clock.now() + WHOLE_MS;
    if (pending.length > 0) this.#tell(pending);
    this.#save();
  }

  #save(): void {
    const { unsaved } = this.#context;
    for (let next = unsaved[0]; next !== undefined; next = unsaved[0]) {
      next();
      unsaved.shift();
    }
  }

  #tell(operations: readonly Operation[]): void {
    const context = this.#context;
    const text = `put back what somebody else had changed: ${operations.map(({ why }) => why).join('; ')}`;
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

import type { Prints } from '../kernel/kernel.ts';
import { messageOf } from '../lib/errors.ts';
import type { Operation } from '../model/operation.ts';
import { WATCHED_SYSCTLS, beforeLook, saveLook } from './as-left.ts';
import type { Before } from './as-left.ts';
import { applyEntries } from './change.ts';
import { finish } from './confirm.ts';
import type { Context } from './context.ts';
import { journal, publish, stateOf } from './context.ts';
import { passDeadlines } from './deadlines.ts';
import { endStrays } from './flows.ts';
import { servicesTouched } from './touched.ts';
import { saveUnsaved } from './unsaved.ts';

/** How often the kernel is asked whether anybody has changed anything, where nobody tells of it; milliseconds. */
const GLANCE_MS = 300;
/** The same where somebody does: what is left of our own doing is looked after then. */
const CALM_MS = 2000;
/**
 * How often everything is looked at, whatever that answer was; more seldom where that takes long, so that it is always
 * the same small part of the time, but once a minute at least.
 */
const WHOLE_MS = 10_000;
const WHOLE_SHARE = 1000;
const WHOLE_AT_LEAST_MS = 120_000;
/** How often that is written down. */
const WRITTEN_MS = 10_000;
/**
 * Whose repair is undone within this time after it (or that fails again), beyond what was waited for, is fought over.
 * A firewall that is reloaded by hand, a few times in a minute, is not: each time it takes all away at once.
 */
const FIGHT_MS = 5_000;
/** After so many of them each next one waits twice as long, up to the longest wait. */
const PATIENCE = 4;
const LONGEST_WAIT_MS = 30_000;

/** So many looks in a row may meet a change of ours before everything is looked at while nothing else is done. */
const PUT_OFFS = 10;

/**
 * After a change of ours everything is looked at, but not before nothing else has been changed for as long as that
 * takes: of a hundred services that are added one after another none waits for a look at all. No longer than this, and
 * not for more than so many of these; milliseconds.
 */
const SETTLED_MS = 1000;
const UNSETTLED = 5;

const NOT_SEEN: Prints = { choice: '', rest: '' };
/** No kernel has this print. */
const NOT_LOOKED = '';

/** Notices what others change, and puts it back. */
export class Watch {
  readonly #context: Context;
  #cancel: () => void = () => undefined;
  #glancing = false;
  /** Something was told of during a glance, which may have come too early for it. */
  #again = false;
  /** How often somebody asked for a look: one that was under way then knew nothing of why. */
  #called = 0;
  #seen: Prints = NOT_SEEN;
  /** What was wanted then: a change of ours that others undo leaves the kernel as it was seen. */
  #wanted: Context['entries'] | null = null;
  #before: Before | null = null;
  #writtenAt = -Infinity;
  #wholeAt = 0;
  #stopped = false;
  /** How long the last look at everything took; milliseconds. */
  #took = 0;
  /** Changes of ours that nobody has looked at yet: when the first and the last of them were noticed. */
  #unlooked: { readonly entries: Context['entries']; readonly first: number; readonly last: number } | null =
    null;
  /** How often in a row a look met a change of ours. */
  #putOffs = 0;
  /** By what was put back (see nameOf): how often in a row, and when last. */
  readonly #struck = new Map<string, { times: number; at: number }>();
  /** Of what was repaired last; 0 while nobody fights. */
  #strikes = 0;
  #struckAt = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  start(): void {
    this.#context.kernel.onDisturbed(() => this.#disturbed());
    this.#wait();
  }

  /** What is wanted of links may have changed, whatever the kernel says. */
  lookAgain(): void {
    this.#called++;
    this.#seen = NOT_SEEN;
    this.#disturbed();
  }

  #wait(): void {
    const wait = this.#isCalm() ? CALM_MS : this.#patience();
    this.#cancel = this.#context.clock.after(wait, () => void this.#glance());
  }

  /** Nothing is left to be done, and whatever happens will be told. */
  #isCalm(): boolean {
    const { kernel, unfinished, unsaved } = this.#context;
    return kernel.tells() && !this.#again && this.#strikes + unfinished.length + unsaved.length === 0;
  }

  #patience(): number {
    return Math.min(GLANCE_MS * 2 ** Math.max(this.#strikes - PATIENCE, 0), LONGEST_WAIT_MS);
  }

  /** At once, unless somebody is in a fight with us. */
  #disturbed(): void {
    if (this.#stopped || (this.#strikes > PATIENCE && !this.#isOver())) return;
    if (this.#glancing) this.#again = true;
    else {
      this.#cancel();
      void this.#glance();
    }
  }

  /** What was put back last has stayed so for long enough. */
  #isOver(): boolean {
    return this.#context.clock.now() - this.#struckAt > FIGHT_MS;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #glance(): Promise<void> {
    const context = this.#context;
    this.#glancing = true;
    this.#again = false;
    try {
      if (!context.down && (await this.#differs())) await context.queue.run(() => this.#repair());
    } catch (error) {
      this.#strike(['failure']);
      context.events.emit('reconcile-failed', { error });
    }
    this.#glancing = false;
    if (!this.#stopped) this.#wait();
  }

  /**
   * Whoever changes the same thing again and again is not fought at full speed; who changes one thing after another,
   * as somebody does who takes rules apart by hand, finds each of them put back at once.
   */
  #strike(things: readonly string[]): void {
    const now = this.#context.clock.now();
    // What is undone at once is seen only after the wait.
    const lasting = FIGHT_MS + 2 * this.#patience();
    for (const [thing, { at }] of this.#struck) if (now - at > lasting) this.#struck.delete(thing);
    // One repair may put the same thing back several times: others were not done with it when it looked.
    const struck = [...new Set(things)].map((thing) => {
      const times = (this.#struck.get(thing)?.times ?? 0) + 1;
      this.#struck.set(thing, { times, at: now });
      return times;
    });
    this.#strikes = Math.max(...struck);
    this.#struckAt = now;
  }

  /** Looking needs no turn in the queue: nobody's switch waits because something else on this host has changed. */
  async #differs(): Promise<boolean> {
    const { clock, events, kernel, reconciler, unfinished, unsaved } = this.#context;
    if (unfinished.length + unsaved.length > 0) return true;
    if (await this.#settles()) {
      this.#again = true;
      return false;
    }
    const called = this.#called;
    const print = await kernel.fingerprint(WATCHED_SYSCTLS);
    const { entries } = this.#context;
    const restAsSeen = print.rest === this.#seen.rest;
    const asSeen = restAsSeen && print.choice === this.#seen.choice && entries === this.#wanted;
    if (restAsSeen && clock.now() < this.#wholeAt) {
      const chosen = asSeen ? 'yes' : await this.#onlyChosen(print, entries, called);
      if (chosen === 'yes') await this.#writeDown();
      if (chosen !== 'no') return false;
    }
    const began = clock.now();
    // What nobody has touched since it was looked at last is still printed the same.
    if (!asSeen || this.#before === null || this.#before.print === NOT_LOOKED)
      this.#before = await beforeLook(this.#context);
    // What nobody has changed since is looked at as others would see it.
    const { begun: changes } = reconciler;
    const pending = await reconciler.pending(stateOf(this.#context), { thorough: asSeen });
    // What was changed during the look is no difference that anybody else has made.
    if (pending.length > 0) return changes === reconciler.begun || this.#putOff() === 'no';
    this.#writtenAt = -Infinity;
    await this.#writeDown();
    // Taken before the look: what came between is another print next time.
    this.#seen = called === this.#called ? print : NOT_SEEN;
    this.#wanted = entries;
    this.#unlooked = null;
    this.#putOffs = 0;
    this.#took = Math.max(clock.now() - began, 0);
    this.#wholeAt = clock.now() + Math.min(Math.max(WHOLE_MS, this.#took * WHOLE_SHARE), WHOLE_AT_LEAST_MS);
    if (this.#isOver()) {
      this.#strikes = 0;
      this.#struck.clear();
    }
    events.emit('undisturbed', {});
    return false;
  }

  /** Another change of ours may follow, and nobody else has changed a rule: the look can wait a moment. */
  async #settles(): Promise<boolean> {
    const { clock, entries, reconciler } = this.#context;
    if (this.#took === 0 || this.#seen === NOT_SEEN || !(await reconciler.isAsMade())) return false;
    const now = clock.now();
    const { first, last, entries: seen } = this.#unlooked ?? { first: now, last: now, entries: null };
    this.#unlooked = { entries, first, last: entries === seen ? last : now };
    const quiet = Math.min(this.#took, SETTLED_MS);
    return now - this.#unlooked.last < quiet && now - first < UNSETTLED * quiet;
  }

  /**
   * A switch has changed what is chosen, and so has whoever was directed elsewhere by it; nothing else is looked at for
   * that. What is written down until everything is: a director that starts then has to look. While one switch follows
   * another it is put off a few times.
   */
  async #onlyChosen(
    print: Prints,
    entries: Context['entries'],
    called: number,
  ): Promise<'yes' | 'no' | 'later'> {
    const context = this.#context;
    const alone = await context.reconciler.isChoiceAlone(stateOf(context));
    const moved = entries !== context.entries || called !== this.#called;
    if (alone === 'later' || (alone === 'yes' && moved)) return this.#putOff();
    this.#putOffs = 0;
    if (alone === 'no') return 'no';
    this.#seen = print;
    this.#wanted = entries;
    this.#before = { entries, print: NOT_LOOKED };
    return 'yes';
  }

  #putOff(): 'no' | 'later' {
    this.#again = true;
    this.#putOffs = (this.#putOffs + 1) % PUT_OFFS;
    return this.#putOffs === 0 ? 'no' : 'later';
  }

  /** Also while nothing has to be looked at: a disk that takes nothing is told by /readyz before somebody needs it. */
  async #writeDown(): Promise<void> {
    const { clock } = this.#context;
    if (this.#before === null || clock.now() - this.#writtenAt < WRITTEN_MS) return;
    this.#writtenAt = clock.now();
    await saveLook(this.#context, this.#before);
  }

  async #repair(): Promise<void> {
    const context = this.#context;
    if (context.down || this.#stopped) return;
    await passDeadlines(context);
    for (const unfinished of [...context.unfinished]) await finish(context, unfinished);
    const done = await applyEntries(context, context.entries, true);
    if (done.length > 0) {
      this.#strike(done.map(nameOf));
      this.#tell(done);
      await endStrays(context, done);
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
      const details = {
        operations: operations.map(({ kind, why }) => ({ kind, why })),
        services: servicesTouched(operations, [...context.entries.values()]),
      };
      publish(
        context,
        context.store.write(() => journal(context, 'repair', [], { by: 'director' }, text, details)),
      );
    } catch (error) {
      context.events.emit('reconcile-failed', { error: new Error(`${text}, but ${messageOf(error)}`) });
    }
  }
}

/** What was put back, which may be the same several times in one repair: both families say the same of their own. */
function nameOf(operation: Operation): string {
  return operation.kind === 'rules' ? `${operation.family} ${operation.why}` : operation.why;
}

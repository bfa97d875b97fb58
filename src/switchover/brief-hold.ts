import { messageOf, Refusal } from '../lib/errors.ts';
import { holdElements } from '../plan/sets.ts';
import { applyEntries } from './change.ts';
import { note } from './note.ts';
import { stateOf, withEntries } from './context.ts';
import type { Context } from './context.ts';
import type { Entry } from './registry.ts';

/**
 * Lets the packets of these services wait while `work` is done: senders try again, and no write reaches the old side
 * after the new one is live. The kernel ends it `forMs` after it began whatever becomes of us; what has to be loaded for
 * it is loaded before, however long that takes. Services that somebody holds already stay held. Refusal where the
 * kernel does not take it, and then no work was begun.
 */
export async function whileHeld<T>(
  context: Context,
  entries: readonly Entry[],
  forMs: number,
  work: () => Promise<T>,
): Promise<T> {
  const now = context.clock.now();
  const free = entries.filter(({ heldUntil }) => heldUntil === null || heldUntil <= now);
  if (free.length === 0) return work();
  try {
    await begin(context, free, forMs);
    return await work();
  } finally {
    await end(context, free);
  }
}

async function begin(context: Context, free: readonly Entry[], forMs: number): Promise<void> {
  const { clock, kernel, reconciler } = context;
  const held = free.map((entry): Entry => ({ ...entry, heldUntil: clock.now() + forMs }));
  const state = stateOf(context, withEntries(context.entries, held));
  try {
    // With iptables-legacy, and while others are held, they stand already.
    if (reconciler.differInRules(stateOf(context), state)) await reconciler.applyRules(state);
    const services = free.map(({ service }) => service);
    // Directly before the work: what is there already has its time anew.
    for (const { set, elements } of holdElements(services, clock.now() + forMs))
      await kernel.apply({ kind: 'set-add', set, elements, why: 'held during a switch' });
  } catch (error) {
    throw new Refusal('unavailable', `the kernel refused the hold: ${messageOf(error)}`, {
      cause: error,
      hint: 'nobody was moved. "director doctor" and "director plan" tell what is wrong; a switch without --hold needs less',
    });
  }
  context.events.emit('held', { cause: 'switch' });
}

/** Packets pass again with the first messages; then the rules that let them wait go. Each is tried whatever fails. */
async function end(context: Context, free: readonly Entry[]): Promise<void> {
  const services = free.map(({ service }) => service);
  const tell = (error: unknown): void => {
    const names = services.map(({ name }) => name);
    note(context, names, 'a hold could not be ended; it ends by itself', error);
  };
  for (const { set, elements } of holdElements(services, context.clock.now()))
    await context.kernel.apply({ kind: 'set-delete', set, elements, why: 'the switch is done' }).catch(tell);
  await applyEntries(context, context.entries, false).catch(tell);
}

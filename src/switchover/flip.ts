import type { Swap } from '../kernel/kernel.ts';
import { isNotFound } from '../lib/errors.ts';
import { planChoice } from '../plan/choice.ts';
import { bequeath, leftBy } from './bequeath.ts';
import { applyEntries } from './change.ts';
import type { Context } from './context.ts';
import { eventfulOf, toState } from './registry.ts';
import type { Entries } from './registry.ts';

/** Ready to be done, by one message. */
export interface Flip {
  commit(): Promise<Swap>;
  /** Resolves when nothing of its preparation is under way any more, whatever came of it. */
  settled(): Promise<void>;
}

/**
 * Fills the idle bank with what these entries say; the answer exchanges it for the active one, which is the flip. No
 * packet meets what is filled, so it may be under way while the intent is written. Where somebody has taken the sets
 * apart, they are put together first; a rollback must not fail for that. What goes wrong is thrown by the flip.
 */
export function prepareFlip(context: Context, entries: Entries): Flip {
  const now = context.clock.now();
  const choice = planChoice({ services: eventfulOf(entries).map((entry) => toState(entry, now)) });
  const preparing = context.kernel.prepareChoice(choice).catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error;
    await applyEntries(context, context.entries, true);
    return context.kernel.prepareChoice(choice);
  });
  // Without an intent it is never asked for.
  const settled = preparing.then(
    () => undefined,
    () => undefined,
  );
  return {
    commit: async () => {
      const prepared = await preparing;
      context.leaving = leftBy(context.entries, entries);
      bequeath(context, entries);
      return context.reconciler.choose(choice, () => prepared.commit());
    },
    settled: () => settled,
  };
}

export const flip = (context: Context, entries: Entries): Promise<Swap> =>
  prepareFlip(context, entries).commit();

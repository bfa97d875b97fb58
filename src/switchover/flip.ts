import type { Swap } from '../kernel/kernel.ts';
import { isNotFound } from '../lib/errors.ts';
import { planChoice } from '../plan/choice.ts';
import { bequeath, leftBy } from './bequeath.ts';
import { applyEntries } from './change.ts';
import type { Context } from './context.ts';
import { eventfulOf, toState } from './registry.ts';
import type { Entries } from './registry.ts';

/**
 * Fills the idle bank with what these entries say and exchanges it for the active one: the flip. Where somebody has
 * taken the sets apart, they are put together first; a rollback must not fail for that.
 */
export async function flip(context: Context, entries: Entries): Promise<Swap> {
  const now = context.clock.now();
  const choice = planChoice({ services: eventfulOf(entries).map((entry) => toState(entry, now)) });
  const prepared = await context.kernel.prepareChoice(choice).catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error;
    await applyEntries(context, context.entries, true);
    return context.kernel.prepareChoice(choice);
  });
  context.leaving = leftBy(context.entries, entries);
  bequeath(context, entries);
  return context.reconciler.choose(choice, () => prepared.commit());
}

import type { Bequest } from '../kernel/kernel.ts';
import { otherSlot } from '../model/state.ts';
import type { Context } from './context.ts';
import { liveSlotOf, marksOf, testersAt } from './flows.ts';
import type { Old } from './flows.ts';
import type { Entries, Entry } from './registry.ts';

/**
 * After the moment itself, and for what was under way then; sets count in seconds, so that what was filled anew for
 * another switch may end up to one later.
 */
const AFTER_MS = [50, 500, 1500];
/** Leases that are looked after; the next ones count most. */
const MOST_LEASES = 32;

/**
 * Leaves to others what must not wait for the next director, should this one die: datagrams' flows stay where they are
 * for as long as their sender goes on, and nobody would end those to a DomU that is not live any more. `leaving`: DomUs
 * that a flip is about to leave; besides, whatever ends by itself. What matters most comes first.
 */
export function bequeath(context: Context, entries: Entries = context.entries): void {
  const leaving = context.leaving.map((old) => ({ ...old, at: context.clock.now() }));
  const all = context.down ? [] : [...entries.values()];
  const leases = all
    .flatMap(leaseEnds)
    .sort((a, b) => a.at - b.at)
    .slice(0, MOST_LEASES);
  const ending = [...leaving, ...all.flatMap(trialEnd), ...leases];
  context.kernel.bequeath(ending.flatMap((old) => bequestsOf(context, old)));
}

/** The DomU that is left at a time. */
type Leaving = Old & { readonly at: number };

function trialEnd(entry: Entry): Leaving[] {
  const at = entry.trial?.confirmBy ?? null;
  return at === null ? [] : [{ entry, slot: otherSlot(entry.primary), at }];
}

/** On trial everybody is on that DomU, whether or not he tests. */
function leaseEnds(entry: Entry): Leaving[] {
  const { leases, primary, trial } = entry;
  if (leases.length === 0) return [];
  const from = trial === null ? -Infinity : (trial.confirmBy ?? Infinity);
  const times = new Set(leases.flatMap(({ expiresAt }) => expiresAt ?? []));
  return [...times].filter((at) => at >= from).map((at) => ({ entry, slot: otherSlot(primary), at }));
}

function bequestsOf(context: Context, { entry, slot, at }: Leaving): Bequest[] {
  if (!entry.service.ports.some(({ protocol }) => protocol === 'udp')) return [];
  const flows = marksOf(context, entry, slot, 'udp');
  const sparing = testersAt(entry, slot, at);
  return AFTER_MS.map((after) => ({ at: at + after, flows, sparing }));
}

/** The DomUs that are live before, and not after, these entries count. */
export function leftBy(before: Entries, after: Entries): Old[] {
  return [...after.values()].flatMap((entry) => {
    const old = before.get(entry.service.name);
    if (old === undefined || old === entry || liveSlotOf(old) === liveSlotOf(entry)) return [];
    return [{ entry: old, slot: liveSlotOf(old) }];
  });
}

import type { Bequest } from '../kernel/kernel.ts';
import { otherSlot } from '../model/state.ts';
import type { Context } from './context.ts';
import { liveSlotOf, marksOf, testersAt } from './flows.ts';
import type { Old } from './flows.ts';
import type { Entries, Entry } from './registry.ts';

/** After the moment itself, which the kernel keeps to its own ticks; and once more, for what was under way then. */
const AFTER_MS = [50, 500];

/**
 * Leaves to others what must not wait for the next director, should this one die: datagrams' flows stay where they are
 * for as long as their sender goes on, and nobody would end those to a DomU that is not live any more. `leaving`: DomUs
 * that a flip is about to leave; besides, whatever ends by itself.
 */
export function bequeath(context: Context, entries: Entries = context.entries): void {
  const now = context.clock.now();
  const leaving = context.leaving.map((old) => ({ ...old, at: now }));
  const ending = context.down ? [] : [...entries.values()].flatMap(endings);
  context.kernel.bequeath([...leaving, ...ending].flatMap((old) => bequestsOf(context, old)));
}

/** The DomUs that those whose time is over are on. */
function endings(entry: Entry): (Old & { at: number })[] {
  const { trial, leases, primary } = entry;
  const times = [trial?.confirmBy ?? null, ...leases.map(({ expiresAt }) => expiresAt)];
  const known = new Set(times.filter((at) => at !== null));
  return [...known].map((at) => ({ entry, slot: otherSlot(primary), at }));
}

function bequestsOf(context: Context, { entry, slot, at }: Old & { at: number }): Bequest[] {
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

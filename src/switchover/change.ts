import type { Operation } from '../model/operation.ts';
import type { JournalRecord } from '../model/records.ts';
import type { Context } from './context.ts';
import { publish, saveEntry, stateOf, withEntries } from './context.ts';
import type { Actor } from './director.ts';
import { withoutEntries } from './registry.ts';
import type { Entries, Entry } from './registry.ts';
import { settleSenders } from './senders.ts';

export interface Change {
  readonly actor: Actor;
  /** Entries as they shall be; those whose row changed are saved. */
  readonly changed: readonly Entry[];
  readonly removed?: readonly string[];
  /** What else belongs into the same transaction; answers what to publish. */
  readonly save: () => JournalRecord[];
}

/**
 * Any change but a flip: the intent is written first, then the kernel is brought to it, then state and journal are
 * written in one transaction. Whatever fails is undone, and the failure is thrown: nothing has changed then.
 */
export async function change(
  context: Context,
  { actor, changed, removed = [], save }: Change,
): Promise<void> {
  const { store } = context;
  const names = [...changed.map(({ service }) => service.name), ...removed];
  const intent = store.writeAhead(() =>
    store.intend({
      at: context.clock.now(),
      kind: 'change',
      by: actor.by,
      reason: actor.reason ?? null,
      services: names,
      switchId: null,
    }),
  );
  const before = context.entries;
  const next = withoutEntries(withEntries(before, changed), removed);
  try {
    await applyEntries(context, next, false);
    const records = store.write(() => {
      // First: an id that has become free may be a new service's already.
      for (const name of removed) store.removeService(name);
      for (const entry of changed) saveEntry(context, entry);
      store.conclude(intent);
      return save();
    });
    context.entries = next;
    publish(context, ...records);
  } catch (error) {
    await undo(context, intent);
    throw error;
  } finally {
    context.wake();
  }
  const others = changed.filter((entry) => othersTest(before.get(entry.service.name), entry));
  await settleSenders(
    context,
    others.map(({ service }) => service.name),
  );
}

function othersTest(before: Entry | undefined, after: Entry): boolean {
  const who = ({ testing, service, leases }: Entry): string =>
    JSON.stringify([testing, service.testers, leases.map(({ source }) => source)]);
  return before !== undefined && who(before) !== who(after);
}

/** Back to what the state says; where even that fails the watch goes on trying, and /readyz says so. */
async function undo(context: Context, intent: number): Promise<void> {
  try {
    await applyEntries(context, context.entries, false);
    context.store.write(() => context.store.conclude(intent));
  } catch (error) {
    context.events.emit('reconcile-failed', { error });
  }
}

/**
 * Makes the kernel what these entries say; answers what had to be done. `repair`: nobody asked for a change, so
 * somebody else made one.
 */
export async function applyEntries(
  context: Context,
  entries: Entries,
  repair: boolean,
): Promise<readonly Operation[]> {
  try {
    const state = stateOf(context, entries);
    const { reconciler } = context;
    const { operations, seconds } = await (repair ? reconciler.applyAnew(state) : reconciler.apply(state));
    context.events.emit('reconciled', { operations, seconds, repair });
    return operations;
  } catch (error) {
    context.events.emit('reconcile-failed', { error });
    throw error;
  }
}

import { messageOf, Refusal } from '../lib/errors.ts';
import type { JournalRecord, SwitchRecord } from '../model/records.ts';
import { otherSlot } from '../model/state.ts';
import type { Slot } from '../model/state.ts';
import type { Context } from './context.ts';
import { journal, withEntries } from './context.ts';
import type { Actor } from './director.ts';
import { flip } from './flip.ts';
import { leaveOld } from './flows.ts';
import { isDecided } from './registry.ts';
import type { Entry } from './registry.ts';
import { list, update } from './switch-over.ts';
import { saveInTurn, saveRows } from './unsaved.ts';

/** The services of a trial that is on. Throws Refusal for a switch that is unknown or has ended. */
export function trialEntries(context: Context, id: string): { record: SwitchRecord; entries: Entry[] } {
  const record = context.store.switchById(id);
  if (record === null) throw new Refusal('unknown', `there is no switch "${id}"`);
  const named = record.services.flatMap((name) => context.entries.get(name) ?? []);
  const entries = named.filter(({ trial }) => trial?.id === id);
  const state = entries.some(isDecided) ? 'confirmed' : record.state;
  if (state !== 'trial' || entries.length === 0) {
    throw new Refusal(
      'conflict',
      `switch ${id} of ${list(record.services)} is ${state} already; nothing was changed`,
    );
  }
  return { record, entries };
}

/**
 * Everybody goes back, in one message. Never refused for the health of where they go: what they came from is what is
 * being fled. `expired` is the same at the deadline, when the kernel has done it or is about to.
 */
export async function endTrial(
  context: Context,
  id: string,
  how: 'rolled-back' | 'expired',
  actor: Actor,
): Promise<SwitchRecord> {
  const { record, entries } = trialEntries(context, id);
  const { store } = context;
  const settled = entries.map((entry): Entry => ({
    ...entry,
    trial: null,
    generation: entry.generation + 1,
  }));
  const intent = tryIntent(context, record, how, actor);
  try {
    const { flipMicros } = await flip(context, withEntries(context.entries, settled));
    context.events.emit('flip', { micros: flipMicros, services: record.services });
  } catch (error) {
    forgetIntent(context, intent);
    throw new Refusal('unavailable', `the kernel refused the rollback: ${messageOf(error)}`, {
      cause: error,
      hint:
        record.confirmBy === null
          ? 'everybody is still on the new DomU; try again'
          : 'everybody is still on the new DomU; at the deadline the kernel goes back by itself. Try again',
    });
  }
  context.entries = withEntries(context.entries, settled);
  const ended = endedRecord(context, record, entries, how);
  const went = entries
    .map((entry) => `${entry.service.name} is back on ${entry.slots[entry.primary]}`)
    .join(', ');
  const text = how === 'expired' ? `${went}: nobody confirmed the trial in time` : went;
  const unsaved = trySave(context, went, () => {
    store.saveSwitch(ended);
    saveRows(context, record.services);
    return journal(context, how === 'expired' ? 'expire' : 'rollback', record.services, actor, text, {
      switch: id,
    });
  });
  context.wake();
  context.events.emit('outcome', { state: how, cause: how === 'expired' ? 'deadline' : 'asked' });
  const counts = await leaveOld(
    context,
    entries.map((entry) => ({ entry, slot: otherSlot(entry.primary) })),
    record.connections,
  );
  if (unsaved !== null) {
    // After what is written of the rollback itself, in its turn.
    context.unsaved.push(() => forgetIntent(context, intent));
    throw unsaved;
  }
  return update(
    context,
    {
      ...ended,
      cut: ended.cut + counts.cut,
      udpFlushed: ended.udpFlushed + counts.udpFlushed,
    },
    intent,
  );
}

/** The kernel has it, and must not be moved again: what the disk does not take now is written as soon as it does. */
function trySave(context: Context, went: string, save: () => JournalRecord): Refusal | null {
  try {
    saveInTurn(context, save);
    return null;
  } catch (error) {
    return new Refusal('unavailable', `${went}, but it could not be written down: ${messageOf(error)}`, {
      cause: error,
      hint: 'make room on the disk of the state directory; the director goes on trying to write it',
    });
  }
}

function forgetIntent(context: Context, intent: number | null): void {
  if (intent === null) return;
  try {
    context.store.write(() => context.store.conclude(intent));
  } catch (error) {
    context.events.emit('reconcile-failed', { error });
  }
}

/** A full disk must not keep anybody on the side that is being fled: going back is done without a note of it. */
function tryIntent(
  context: Context,
  record: SwitchRecord,
  how: 'rolled-back' | 'expired',
  actor: Actor,
): number | null {
  try {
    return context.store.writeAhead(() =>
      context.store.intend({
        at: context.clock.now(),
        kind: how === 'expired' ? 'expire' : 'rollback',
        by: actor.by,
        reason: actor.reason ?? null,
        services: record.services,
        switchId: record.id,
      }),
    );
  } catch (error) {
    context.events.emit('reconcile-failed', { error });
    return null;
  }
}

export function endedRecord(
  context: Context,
  record: SwitchRecord,
  entries: readonly Entry[],
  how: 'rolled-back' | 'expired',
): SwitchRecord {
  const now = context.clock.now();
  const { drainFor } = record;
  return {
    ...record,
    state: how,
    endedAt: now,
    drainUntil: drainFor === null ? null : now + drainFor,
    draining: Object.fromEntries(
      entries.map((entry): [string, Slot] => [entry.service.name, otherSlot(entry.primary)]),
    ),
    error: how === 'expired' ? 'nobody confirmed it in time' : null,
  };
}

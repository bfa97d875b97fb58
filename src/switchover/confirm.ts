import { KernelError, messageOf, Refusal } from '../lib/errors.ts';
import type { JournalRecord, SwitchRecord } from '../model/records.ts';
import { otherSlot } from '../model/state.ts';
import { applyEntries } from './change.ts';
import type { Context } from './context.ts';
import { journal, stateOf, withEntries } from './context.ts';
import type { Actor } from './director.ts';
import { trialEntries } from './end-trial.ts';
import { flip } from './flip.ts';
import { confirmedEntry, isDecided } from './registry.ts';
import type { Entry } from './registry.ts';
import { saveInTurn, saveRows } from './unsaved.ts';

/**
 * Keeps what is live and exchanges the roles; no packet moves. First the trial is made to last, in one message: from
 * there on the confirm is done, whoever dies. Then the rules pin everybody to the live DomU, the sets are emptied, and
 * the rules are written with the roles exchanged and testing closed.
 */
export async function confirm(context: Context, id: string, actor: Actor): Promise<SwitchRecord> {
  const { record, entries } = trialEntries(context, id);
  const now = context.clock.now();
  if (record.confirmBy !== null && now >= record.confirmBy) {
    throw new Refusal('conflict', `the trial ${id} ended at its deadline; it cannot be confirmed any more`);
  }
  const { store } = context;
  const intent = store.writeAhead(() =>
    store.intend({
      at: now,
      kind: 'confirm',
      by: actor.by,
      reason: actor.reason ?? null,
      services: record.services,
      switchId: id,
    }),
  );
  try {
    await flip(
      context,
      withEntries(
        context.entries,
        entries.map((entry) => lasting(entry, record)),
      ),
    );
    store.write(() => store.markCommitted(intent));
  } catch (error) {
    await undo(context, intent);
    throw new Refusal('unavailable', `the confirm could not be carried out: ${messageOf(error)}`, {
      cause: error,
      hint: 'the trial goes on as it was; try again, or roll back',
    });
  }
  return exchangeRoles(context, record, entries, intent, actor);
}

/** The trial without its deadline. */
function lasting(entry: Entry, record: SwitchRecord): Entry {
  return { ...entry, trial: { ...record, confirmBy: null } };
}

async function undo(context: Context, intent: number): Promise<void> {
  try {
    await flip(context, context.entries);
    context.store.write(() => context.store.conclude(intent));
  } catch (error) {
    context.events.emit('reconcile-failed', { error });
  }
}

/** Also what recovery does with a confirm that was interrupted: every step may be done again. */
export async function exchangeRoles(
  context: Context,
  record: SwitchRecord,
  entries: readonly Entry[],
  intent: number,
  actor: Actor,
): Promise<SwitchRecord> {
  const ended: SwitchRecord = { ...record, state: 'confirmed', endedAt: context.clock.now() };
  const decided = entries.map((entry) => lasting(entry, ended));
  context.entries = withEntries(context.entries, decided);
  const unfinished: Unfinished = { intent, services: record.services };
  context.unfinished.push(unfinished);
  context.events.emit('outcome', { state: 'confirmed', cause: 'asked' });
  const failures: unknown[] = [];
  // The state says so before the rules do: they follow now, or when the daemon is back, in steps that move no packet.
  try {
    saveInTurn(context, () => saveConfirmed(context, ended, decided, actor));
  } catch (error) {
    failures.push(error);
  }
  try {
    await finish(context, unfinished);
  } catch (error) {
    failures.push(error);
  }
  if (failures.length > 0) throw undone(failures);
  return ended;
}

function saveConfirmed(
  context: Context,
  ended: SwitchRecord,
  decided: readonly Entry[],
  actor: Actor,
): JournalRecord {
  context.store.saveSwitch(ended);
  saveRows(context, ended.services);
  const stay = decided
    .map(
      ({ service, slots, primary }) =>
        `${service.name} stays on ${slots[otherSlot(primary)]}, its primary now`,
    )
    .join(', ');
  const text = `${stay}; testing is closed`;
  return journal(context, 'confirm', ended.services, actor, text, { switch: ended.id });
}

function undone(failures: readonly unknown[]): KernelError {
  const reasons = [...new Set(failures.map(messageOf))].join('; ');
  return new KernelError(
    `the confirm is decided and everybody stays where they are, but it is not done with yet: ${reasons}`,
    { cause: failures[0], hint: 'the director goes on trying; /readyz tells when it is done' },
  );
}

/** A confirm that the store has, of a director that died before the rules had it all: once more from the pinning on. */
export async function finishRoles(
  context: Context,
  record: SwitchRecord,
  confirmed: readonly Entry[],
  intent: number,
): Promise<void> {
  // Who is on trial by now had its rules, or could not have been switched again.
  const decided = confirmed
    .filter(({ trial }) => trial === null)
    .map((entry) => ({
      ...lasting(entry, record),
      primary: otherSlot(entry.primary),
      generation: entry.generation - 1,
    }));
  context.entries = withEntries(context.entries, decided);
  await finish(context, { intent, services: record.services });
}

/** A confirm that is decided, and whose roles the rules do not show yet. */
export interface Unfinished {
  readonly intent: number;
  readonly services: readonly string[];
}

/** May be called again after a failure. */
export async function finish(context: Context, unfinished: Unfinished): Promise<void> {
  await pinAndRelease(context, unfinished.services);
  const at = context.unfinished.indexOf(unfinished);
  if (at >= 0) context.unfinished.splice(at, 1);
  context.wake();
  saveInTurn(context, () => {
    context.store.conclude(unfinished.intent);
    return null;
  });
}

/** Of the entries as they are by now: a hold or a tester may have come meanwhile. */
async function pinAndRelease(context: Context, services: readonly string[]): Promise<void> {
  const decided = services.flatMap((name) => context.entries.get(name) ?? []).filter(isDecided);
  const pinned = decided.map((entry): Entry => ({ ...entry, pinned: true }));
  await applyRulesFirst(context, withEntries(context.entries, pinned));
  context.entries = withEntries(context.entries, decided.map(confirmedEntry));
  await applyEntries(context, context.entries, false);
}

/** Rules that pin, while the sets still say the same; then the sets are emptied. */
async function applyRulesFirst(context: Context, pinned: ReadonlyMap<string, Entry>): Promise<void> {
  await context.reconciler.applyRules(stateOf(context, pinned));
  await applyEntries(context, pinned, false);
}

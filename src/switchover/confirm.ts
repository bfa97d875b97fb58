import { KernelError, messageOf, Refusal } from '../lib/errors.ts';
import type { SwitchRecord } from '../model/records.ts';
import { otherSlot } from '../model/state.ts';
import { applyEntries } from './change.ts';
import type { Context } from './context.ts';
import { journal, publish, stateOf, toRow, withEntries } from './context.ts';
import type { Actor } from './director.ts';
import { trialEntries } from './end-trial.ts';
import { flip } from './flip.ts';
import type { Entry } from './registry.ts';

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
  const intent = store.write(() =>
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
  const onTrial = entries.map((entry) => lasting(entry, record));
  const confirmed = onTrial.map(confirmedEntry);
  const ended: SwitchRecord = { ...record, state: 'confirmed', endedAt: context.clock.now() };
  const { store } = context;
  // The state says so before the rules do: they follow now, or when the daemon is back, in steps that move no packet.
  const journalled = store.write(() => {
    store.saveSwitch(ended);
    for (const entry of confirmed) store.saveService(toRow(entry));
    return journal(
      context,
      'confirm',
      record.services,
      actor,
      `${confirmed.map((entry) => `${entry.service.name} stays on ${entry.slots[entry.primary]}, which is its primary now`).join(', ')}; testing is closed`,
      { switch: record.id },
    );
  });
  context.entries = withEntries(context.entries, onTrial);
  const unfinished = { intent, lasting: onTrial, confirmed };
  context.unfinished.push(unfinished);
  context.events.emit('outcome', { state: 'confirmed' });
  publish(context, journalled);
  try {
    await finish(context, unfinished);
  } catch (error) {
    throw new KernelError(
      `the confirm is decided and everybody stays where they are, but the rules could not be changed yet: ${messageOf(error)}`,
      {
        cause: error,
        hint: 'the director goes on trying; /readyz tells when it is done',
      },
    );
  }
  return ended;
}

/** A confirm that the store has, of a director that died before the rules had it all: once more from the pinning on. */
export async function finishRoles(
  context: Context,
  record: SwitchRecord,
  confirmed: readonly Entry[],
  intent: number,
): Promise<void> {
  const lasting = confirmed.map((entry): Entry => ({
    ...entry,
    primary: otherSlot(entry.primary),
    trial: { ...record, confirmBy: null },
  }));
  await finish(context, { intent, lasting, confirmed });
}

/** A confirm that is decided, and whose roles the rules do not show yet. */
export interface Unfinished {
  readonly intent: number;
  readonly lasting: readonly Entry[];
  readonly confirmed: readonly Entry[];
}

/** May be called again after a failure. */
export async function finish(context: Context, unfinished: Unfinished): Promise<void> {
  await pinAndRelease(context, unfinished.lasting, unfinished.confirmed);
  const at = context.unfinished.indexOf(unfinished);
  if (at >= 0) context.unfinished.splice(at, 1);
  context.store.write(() => context.store.conclude(unfinished.intent));
  context.wake();
}

function confirmedEntry(entry: Entry): Entry {
  return {
    ...entry,
    primary: otherSlot(entry.primary),
    trial: null,
    testing: 'closed',
    pinned: false,
    generation: entry.generation + 1,
  };
}

async function pinAndRelease(
  context: Context,
  lasting: readonly Entry[],
  confirmed: readonly Entry[],
): Promise<void> {
  const pinned = lasting.map((entry): Entry => ({ ...entry, pinned: true }));
  await applyRulesFirst(context, withEntries(context.entries, pinned));
  context.entries = withEntries(context.entries, confirmed);
  await applyEntries(context, context.entries, false);
}

/** Rules that pin, while the sets still say the same; then the sets are emptied. */
async function applyRulesFirst(context: Context, pinned: ReadonlyMap<string, Entry>): Promise<void> {
  await context.reconciler.applyRules(stateOf(context, pinned));
  await applyEntries(context, pinned, false);
}

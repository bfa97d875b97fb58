import { FAMILIES } from '../model/address.ts';
import type { KernelState } from '../model/kernel-state.ts';
import type { JournalRecord, SwitchRecord } from '../model/records.ts';
import type { Connections } from '../model/service.ts';
import { otherSlot } from '../model/state.ts';
import { serviceChain } from '../plan/names.ts';
import type { Intent } from '../store/store.ts';
import { exchangeRoles, finishRoles } from './confirm.ts';
import type { Context } from './context.ts';
import { journal, publish, toRow, withEntries } from './context.ts';
import type { Actor } from './director.ts';
import { endedRecord } from './end-trial.ts';
import type { Entry } from './registry.ts';
import { liveSlotOf } from './flows.ts';
import type { Old } from './flows.ts';
import { list } from './switch-over.ts';

/**
 * What an earlier director left: each intent is either done whole or not at all, and the journal says which. The choice
 * list tells what had happened: the exchange is one message, so it names all of a switch's services or none. So it does
 * of a trial that the store knows: one that the list has no longer was rolled back when the disk took no note of it.
 * Nothing is written to the kernel here but a confirm that was decided; the reconcile that follows does the rest.
 */
export async function recover(context: Context): Promise<readonly Left[]> {
  const left: Left[] = [];
  const intents = context.store.intents();
  if (intents.length + context.store.trials().length === 0) return left;
  const observed = await context.kernel.observe({ links: [], sysctls: [] });
  for (const intent of intents) await recoverIntent({ context, observed, left }, intent);
  // Anew: an interrupted switch may be a trial by now, or none any more.
  for (const record of context.store.trials()) left.push(...endMissed(context, record, observed));
  return left;
}

/** Flows that are still to be ended, of DomUs that were live before a flip. */
export interface Left {
  readonly old: readonly Old[];
  readonly connections: Connections;
}

interface Recovery {
  readonly context: Context;
  readonly observed: KernelState;
  readonly left: Left[];
}

async function recoverIntent(recovery: Recovery, intent: Intent): Promise<void> {
  const { context } = recovery;
  const record = intent.switchId === null ? null : context.store.switchById(intent.switchId);
  const actor: Actor = { by: intent.by, reason: intent.reason ?? undefined };
  const interrupted = { ...recovery, intent, actor };
  if (record === null) dropChange(interrupted);
  else await recoverSwitch(interrupted, record);
}

interface Interrupted extends Recovery {
  readonly intent: Intent;
  readonly actor: Actor;
}

async function recoverSwitch(interrupted: Interrupted, record: SwitchRecord): Promise<void> {
  const { context, intent, observed } = interrupted;
  const entries = record.services.flatMap((name) => context.entries.get(name) ?? []);
  const there = isOnTrial(entries, observed);
  if (intent.kind === 'switch') {
    if (record.state !== 'failed') finishFlows(interrupted, record, entries);
    else if (there && !isOvertaken(context, intent, record)) finishSwitch(interrupted, record, entries);
    else failSwitch(interrupted, record);
  } else if (intent.kind === 'confirm') {
    if (intent.committed || (there && lasts(record, entries, observed)))
      await finishConfirm(interrupted, record, entries);
    else dropChange(interrupted);
  } else if (record.state === 'trial') finishEnd(interrupted, record, entries);
  else finishFlows(interrupted, record, entries);
}

/** All was written down, but perhaps not every old flow ended: once more does no harm. */
function finishFlows(
  { context, intent, left }: Interrupted,
  record: SwitchRecord,
  entries: readonly Entry[],
): void {
  left.push(leftOf(record, entries));
  context.store.write(() => context.store.conclude(intent.id));
}

/** Old is whichever DomU is not live now. */
function leftOf({ id, state, connections }: SwitchRecord, entries: readonly Entry[]): Left {
  const own = entries.filter(({ trial }) => (state === 'trial' ? trial?.id === id : trial === null));
  return { old: own.map((entry) => ({ entry, slot: otherSlot(liveSlotOf(entry)) })), connections };
}

/** What was to be put back when the disk was full may have stayed behind; what is on trial, or was, is another switch. */
function isOvertaken({ store }: Context, { id }: Intent, record: SwitchRecord): boolean {
  const later = store.intents().filter((other) => other.id > id);
  const trials = store.trials().filter((other) => other.id !== record.id);
  return [...later, ...trials].some(({ services }) =>
    services.some((name) => record.services.includes(name)),
  );
}

function isOnTrial(entries: readonly Entry[], { choice }: KernelState): boolean {
  const keys = new Set((choice?.elements ?? []).map(({ key }) => key));
  return (
    entries.length > 0 &&
    entries.every(({ service }) =>
      service.domus.every(({ addresses }) => addresses.every(({ text }) => keys.has(text))),
    )
  );
}

/** Their confirm had taken the deadline off the trial's elements, which is what decides it. */
function lasts({ confirmBy }: SwitchRecord, entries: readonly Entry[], { choice }: KernelState): boolean {
  const permanent = new Set(
    (choice?.elements ?? []).filter(({ expiresAt }) => expiresAt === null).map(({ key }) => key),
  );
  const addresses = entries.flatMap(({ service }) => service.domus.flatMap((domu) => domu.addresses));
  return confirmBy !== null && addresses.every(({ text }) => permanent.has(text));
}

function commit(
  { context, intent }: Interrupted,
  entries: readonly Entry[],
  record: SwitchRecord,
  save: () => JournalRecord,
): void {
  const { store } = context;
  const journalled = store.write(() => {
    store.saveSwitch(record);
    for (const entry of entries) store.saveService(toRow(entry));
    store.conclude(intent.id);
    return save();
  });
  context.entries = withEntries(context.entries, entries);
  if (record.state !== 'confirmed')
    context.events.emit('outcome', { state: record.state, cause: 'recovery' });
  publish(context, journalled);
}

function finishSwitch(interrupted: Interrupted, record: SwitchRecord, entries: readonly Entry[]): void {
  const { context, intent, actor, left } = interrupted;
  const committed: SwitchRecord = {
    ...record,
    state: 'trial',
    committedAt: record.committedAt ?? intent.at,
    error: null,
  };
  const onTrial = entries.map((entry): Entry => ({
    ...entry,
    trial: committed,
    generation: entry.generation + 1,
  }));
  left.push(leftOf(committed, onTrial));
  commit(interrupted, onTrial, committed, () =>
    journal(
      context,
      'switch',
      record.services,
      actor,
      `the switch of ${list(record.services)} had been done when the director ended; it is on trial`,
      { switch: record.id, recovered: true },
    ),
  );
}

function failSwitch(interrupted: Interrupted, record: SwitchRecord): void {
  const { context, actor } = interrupted;
  const failed: SwitchRecord = { ...record, state: 'failed', endedAt: context.clock.now() };
  commit(interrupted, [], failed, () =>
    journal(
      context,
      'fail',
      record.services,
      actor,
      `the switch of ${list(record.services)} had not been done when the director ended; nobody was moved`,
      { switch: record.id, recovered: true },
    ),
  );
}

async function finishConfirm(
  { context, intent, actor }: Interrupted,
  record: SwitchRecord,
  entries: readonly Entry[],
): Promise<void> {
  if (record.state === 'confirmed') await finishRoles(context, record, entries, intent.id);
  else await exchangeRoles(context, record, entries, intent.id, actor);
}

function finishEnd(interrupted: Interrupted, record: SwitchRecord, entries: readonly Entry[]): void {
  const { context, intent, actor, left } = interrupted;
  const how = intent.kind === 'expire' ? 'expired' : 'rolled-back';
  const settled = entries.map((entry): Entry => ({
    ...entry,
    trial: null,
    generation: entry.generation + 1,
  }));
  left.push(leftOf({ ...record, state: how }, settled));
  commit(interrupted, settled, endedRecord(context, record, entries, how), () =>
    journal(
      context,
      how === 'expired' ? 'expire' : 'rollback',
      record.services,
      actor,
      `${list(record.services)} went back to the primary; the director ended meanwhile and finished it now`,
      { switch: record.id, recovered: true },
    ),
  );
}

function dropChange({ context, intent, actor }: Interrupted): void {
  const { store } = context;
  const text = intent.services.length === 0 ? 'a change' : `a change of ${list(intent.services)}`;
  const journalled = store.write(() => {
    store.conclude(intent.id);
    return journal(
      context,
      'fail',
      intent.services,
      actor,
      `${text} had not been acknowledged when the director ended; it was not done`,
      { recovered: true },
    );
  });
  publish(context, journalled);
}

/**
 * How a trial of the store has ended, of which nobody could write it down; null where it goes on. Nobody defines its
 * services any more: there is nothing left to confirm. Its deadline passed without a director: the kernel went back by
 * itself. And whoever was moved back stays there: going back is never taken back, as it is never refused.
 */
function endOf(
  { clock }: Context,
  { confirmBy }: SwitchRecord,
  entries: readonly Entry[],
  observed: KernelState,
): 'expired' | 'rolled-back' | null {
  if (entries.length === 0 || (confirmBy !== null && confirmBy <= clock.now())) return 'expired';
  return isTakenBack(entries, observed) ? 'rolled-back' : null;
}

/**
 * The choice list is whole and names nothing of these services, whose rules are there. A host that has started again has
 * no rules before it has the list: there the trial goes on.
 */
function isTakenBack(entries: readonly Entry[], { choice, tables }: KernelState): boolean {
  const isLoaded = ({ service }: Entry): boolean =>
    FAMILIES.some((family) => tables[family].nat.chains.has(serviceChain(service.name)));
  if (choice === null || !entries.every(isLoaded)) return false;
  const addresses = new Set(
    entries.flatMap(({ service }) =>
      [...service.addresses, ...service.domus.flatMap((domu) => domu.addresses)].map(({ text }) => text),
    ),
  );
  return choice.elements.every(({ key }) => !addresses.has(key.split(',')[0] ?? ''));
}

/** The journal learns now how a trial ended that no director saw, or could write down. */
function endMissed(context: Context, record: SwitchRecord, observed: KernelState): Left[] {
  const entries = record.services
    .flatMap((name) => context.entries.get(name) ?? [])
    .filter(({ trial }) => trial?.id === record.id);
  const how = endOf(context, record, entries, observed);
  if (how === null) return [];
  const settled = entries.map((entry): Entry => ({
    ...entry,
    trial: null,
    generation: entry.generation + 1,
  }));
  const { store } = context;
  const journalled = store.write(() => {
    const ended = endedRecord(context, record, entries, how);
    const endedAt = how === 'expired' ? (record.confirmBy ?? ended.endedAt) : ended.endedAt;
    store.saveSwitch({ ...ended, endedAt });
    for (const entry of settled) store.saveService(toRow(entry));
    const kind = how === 'expired' ? 'expire' : 'rollback';
    return journal(context, kind, record.services, { by: 'director' }, describeMissed(record, entries, how), {
      switch: record.id,
      recovered: true,
    });
  });
  context.entries = withEntries(context.entries, settled);
  context.events.emit('outcome', { state: how, cause: 'recovery' });
  publish(context, journalled);
  return [leftOf({ ...record, state: how }, settled)];
}

function describeMissed(
  { services, confirmBy }: SwitchRecord,
  entries: readonly Entry[],
  how: 'expired' | 'rolled-back',
): string {
  if (entries.length === 0) return `the trial of ${list(services)} has ended: nobody defines them any more`;
  const went = entries
    .map((entry) => `${entry.service.name} went back to ${entry.slots[entry.primary]}`)
    .join(', ');
  if (how === 'rolled-back')
    return `${went} before the director started, and stays there: the kernel had no trial of it any more. Either it was rolled back when nothing could be written down, or somebody emptied dir-trial meanwhile`;
  return `${went} at ${new Date(confirmBy ?? 0).toISOString()}: nobody confirmed the trial in time, and the kernel ended it while no director ran`;
}

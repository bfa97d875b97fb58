import { randomBytes } from 'node:crypto';
import { formatDuration, LONGEST_TIMEOUT } from '../lib/duration.ts';
import { messageOf, Refusal } from '../lib/errors.ts';
import type { SwitchRecord } from '../model/records.ts';
import { otherSlot } from '../model/state.ts';
import type { Slot } from '../model/state.ts';
import { whileHeld } from './brief-hold.ts';
import { note } from './note.ts';
import type { Context } from './context.ts';
import { journal, publish, toRow, withEntries } from './context.ts';
import type { Actor, SwitchOrder } from './director.ts';
import { healthNow } from './fitness.ts';
import { flip } from './flip.ts';
import { leaveOld } from './flows.ts';
import type { Entry } from './registry.ts';
import { domuAt } from './registry.ts';

/**
 * The life of a switch, and who moves it:
 *
 *     (none) --switchOver--> trial --confirm--> confirmed
 *       |                      |---rollback---> rolled-back
 *       |                      '---deadline---> expired
 *       '--kernel or store refuses------------> failed
 *
 * A flip is one message: the idle bank of the choice list is filled, then both banks are exchanged.
 * Order of a switch: validated; intent written; bank filled; exchanged; trial and journal on the disk; old flows.
 * Whoever dies in between: before the exchange nothing has happened, after it recovery finds the bank and the intent.
 * Where the host dies, the kernel's sets die too: only what is acknowledged has to be on the disk itself.
 */
export async function switchOver(
  context: Context,
  order: SwitchOrder,
  actor: Actor,
  probed: Probed,
): Promise<SwitchRecord> {
  const entries = orderedEntries(context, order);
  if (order.force !== true) refuseUnprobed(entries, probed);
  const record = newRecord(context, order, entries, actor);
  const intent = intend(context, record, actor);
  const moving = { record, intent, entries, actor };
  return order.hold === undefined ? moveEverybody(context, moving) : moveHeld(context, moving, order.hold);
}

function intend({ store }: Context, record: SwitchRecord, actor: Actor): number {
  return store.writeAhead(() => {
    store.saveSwitch(record);
    return store.intend({
      at: record.requestedAt,
      kind: 'switch',
      by: actor.by,
      reason: actor.reason ?? null,
      services: record.services,
      switchId: record.id,
    });
  });
}

async function moveHeld(context: Context, moving: Moving, forMs: number): Promise<SwitchRecord> {
  const work = { begun: false };
  try {
    return await whileHeld(context, moving.entries, forMs, () => {
      work.begun = true;
      return moveEverybody(context, moving);
    });
  } catch (error) {
    if (!work.begun) await fail(context, moving.record, moving.intent, error);
    throw error;
  }
}

interface Moving {
  readonly record: SwitchRecord;
  readonly intent: number;
  readonly entries: readonly Entry[];
  readonly actor: Actor;
}

async function moveEverybody(
  context: Context,
  { record, intent, entries, actor }: Moving,
): Promise<SwitchRecord> {
  const onTrial = entries.map((entry): Entry => ({
    ...entry,
    trial: record,
    generation: entry.generation + 1,
  }));
  const flipped = await move(context, record, intent, onTrial);
  const committed = { ...record, ...flipped, state: 'trial' as const, committedAt: context.clock.now() };
  try {
    keep(context, committed, onTrial, actor);
  } catch (error) {
    await fail(context, record, intent, error);
    throw error;
  }
  const counts = await leaveOld(
    context,
    entries.map((entry) => ({ entry, slot: entry.primary })),
    record.connections,
  );
  return update(context, { ...committed, ...counts }, intent);
}

function orderedEntries(context: Context, { services, to }: SwitchOrder): Entry[] {
  const entries = [...new Set(services)].map((name) => mustFind(context, name));
  for (const entry of entries) refuseUnswitchable(context, entry, to);
  return entries;
}

export function refuseUnswitchable(context: Context, { service, trial }: Entry, to: SwitchOrder['to']): void {
  refuseReserved(context, service.name);
  if (trial !== null) {
    throw new Refusal('conflict', `${service.name} is on trial (switch ${trial.id}); nothing was switched`, {
      hint: `end the trial first: "director confirm ${service.name}" or "director rollback ${service.name}"`,
    });
  }
  if (to === 'primary')
    throw new Refusal(
      'conflict',
      `everybody is directed to ${service.name}'s primary already; nothing was switched`,
    );
}

export function mustFind(context: Context, name: string): Entry {
  const entry = context.entries.get(name);
  if (entry === undefined)
    throw new Refusal('unknown', `there is no service "${name}"`, { hint: '"director status" lists them' });
  return entry;
}

/** While a DomU is made or taken away nobody can be directed to it. */
export function refuseReserved({ reserved }: Context, service: string): void {
  const why = reserved.get(service);
  if (why === undefined) return;
  throw new Refusal('conflict', `${service}: ${why}; nothing was done`, {
    hint: '"director stage --list" tells how far it is',
  });
}

/** Which DomU of each service was found fit to be switched to. */
export type Probed = ReadonlyMap<string, string>;

/** So many at a time are told about one by one; of more, the first sick one is told at once. */
const TELL_ALL = 8;

/**
 * Looks at the DomUs that an order wants live. Takes no turn in the queue: a rollback must not wait for somebody else's
 * dead DomU. Throws Refusal for one that is not healthy, unless the order is forced.
 */
export async function probeTargets(context: Context, order: SwitchOrder): Promise<Probed> {
  const entries = orderedEntries(context, order);
  if (order.force === true) return new Map();
  const probes = entries.map((entry) => probeTarget(context, entry, entries.length > TELL_ALL));
  const reports = await Promise.all(probes);
  const sick = reports.flatMap(({ sick: text }) => text ?? []);
  if (sick.length > 0) refuseSick(context, sick.join('; '));
  return new Map(reports.map(({ service, domu }) => [service, domu]));
}

async function probeTarget(
  context: Context,
  entry: Entry,
  failFast: boolean,
): Promise<{ service: string; domu: string; sick: string | null }> {
  const domu = domuAt(entry, otherSlot(entry.primary));
  const { status, reason } = await healthNow(context, entry.service, domu);
  const sick = `${domu.name} of ${entry.service.name} is not healthy: ${reason ?? ''}`;
  if (status === 'unhealthy' && failFast) refuseSick(context, sick);
  return { service: entry.service.name, domu: domu.name, sick: status === 'unhealthy' ? sick : null };
}

function refuseSick(context: Context, text: string): never {
  context.events.emit('outcome', { state: 'refused', cause: 'asked' });
  throw new Refusal('conflict', text, {
    hint: 'nothing was switched. Mend it, or switch all the same with --force ("force": true)',
  });
}

/** Roles or definitions have changed between the probe and the order's turn: it meant something else. */
function refuseUnprobed(entries: readonly Entry[], probed: Probed): void {
  for (const entry of entries) {
    const target = entry.slots[otherSlot(entry.primary)];
    if (probed.get(entry.service.name) === target) continue;
    throw new Refusal('conflict', `${entry.service.name} has changed meanwhile; nothing was switched`, {
      hint: 'look at its status, and decide anew',
    });
  }
}

function newRecord(
  context: Context,
  order: SwitchOrder,
  entries: readonly Entry[],
  actor: Actor,
): SwitchRecord {
  const now = context.clock.now();
  const { connections, drainFor, confirmWithin } = termsOf(order, entries);
  checkTimes(confirmWithin);
  checkHold(order);
  return {
    id: `sw-${now.toString(36)}-${randomBytes(3).toString('hex')}`,
    services: entries.map(({ service }) => service.name),
    to: order.to,
    state: 'failed',
    requestedAt: now,
    committedAt: null,
    confirmBy: confirmWithin === null ? null : now + confirmWithin,
    endedAt: null,
    connections,
    drainFor,
    drainUntil: drainFor !== null ? now + drainFor : null,
    draining: Object.fromEntries(
      entries.map(({ service, primary }): [string, Slot] => [service.name, primary]),
    ),
    flipMicros: null,
    familySkewMicros: null,
    kept: 0,
    cut: 0,
    udpFlushed: 0,
    by: actor.by,
    reason: actor.reason ?? null,
    error: 'the director ended before the flip; nobody was moved',
  };
}

/** What the order says, and where it says nothing, what its services do by default. */
export function termsOf(order: SwitchOrder, entries: readonly Entry[]): Entry['service']['cutover'] {
  const defaults = strictest(entries);
  const connections = order.hold === undefined ? (order.connections ?? defaults.connections) : 'cut';
  const drainFor = order.drainFor === undefined ? defaults.drainFor : order.drainFor;
  const confirmWithin = order.confirmWithin === undefined ? defaults.confirmWithin : order.confirmWithin;
  return { connections, drainFor: connections === 'drain' ? drainFor : null, confirmWithin };
}

/** Services that are switched together share one deadline: the shortest of their defaults. */
function strictest(entries: readonly Entry[]): Entry['service']['cutover'] {
  const shortest = (values: readonly (number | null)[]): number | null => {
    const limited = values.filter((value) => value !== null);
    return limited.length === 0 ? null : Math.min(...limited);
  };
  const defaults = entries.map(({ service }) => service.cutover);
  return {
    connections: defaults.some(({ connections }) => connections === 'cut') ? 'cut' : 'drain',
    drainFor: shortest(defaults.map(({ drainFor }) => drainFor)),
    confirmWithin: shortest(defaults.map(({ confirmWithin }) => confirmWithin)),
  };
}

export function checkHold({ hold, connections }: SwitchOrder): void {
  if (hold === undefined) return;
  if (connections === 'drain') {
    throw new Refusal(
      'unprocessable',
      'a switch with a hold ends open connections: those that drain would go on writing to the old DomU after the new one is live',
      {
        faults: [{ path: '/connections', message: 'must be "cut", or left out, where there is a hold' }],
        hint: 'nothing was switched. Leave out the hold, or let connections be cut',
      },
    );
  }
  if (hold > 0 && hold <= LONGEST_TIMEOUT) return;
  throw new Refusal('invalid', 'a hold lasts from 1ms to 24d', {
    faults: [{ path: '/hold', message: 'must be from 1ms to 24d' }],
  });
}

export function checkTimes(confirmWithin: number | null): void {
  if (confirmWithin === null || (confirmWithin >= 1000 && confirmWithin <= LONGEST_TIMEOUT)) return;
  throw new Refusal(
    'invalid',
    `a trial lasts from 1s to ${formatDuration(LONGEST_TIMEOUT)} (the kernel keeps its end), or "never" ends by itself`,
    {
      faults: [{ path: '/confirmWithin', message: 'must be from 1s to 24d, or "never"' }],
    },
  );
}

async function move(
  context: Context,
  record: SwitchRecord,
  intent: number,
  onTrial: readonly Entry[],
): Promise<{ flipMicros: number; familySkewMicros: number; error: null }> {
  try {
    const { flipMicros, familySkewMicros } = await flip(context, withEntries(context.entries, onTrial));
    context.events.emit('flip', { micros: flipMicros, services: record.services });
    return { flipMicros, familySkewMicros, error: null };
  } catch (error) {
    await fail(context, record, intent, error);
    throw new Refusal('unavailable', `the kernel refused the switch: ${messageOf(error)}`, {
      cause: error,
      hint: 'everybody is where they were before. "director doctor" and "director plan" tell what is wrong',
    });
  }
}

/** The exchange may have happened although its answer was lost: the choice is put back, and the record says it failed. */
async function fail(context: Context, record: SwitchRecord, intent: number, error: unknown): Promise<void> {
  context.events.emit('outcome', { state: 'failed', cause: 'failure' });
  try {
    await flip(context, context.entries);
    const { store } = context;
    const entry = store.write(() => {
      store.saveSwitch({ ...record, endedAt: context.clock.now(), error: messageOf(error) });
      store.conclude(intent);
      const actor = { by: record.by, reason: record.reason ?? undefined };
      return journal(
        context,
        'fail',
        record.services,
        actor,
        `the switch of ${list(record.services)} failed, nobody was moved: ${messageOf(error)}`,
        {
          switch: record.id,
        },
      );
    });
    publish(context, entry);
  } catch (second) {
    // The intent stays: the watch brings the kernel back to the state, and the next start writes what happened.
    context.events.emit('reconcile-failed', { error: second });
  }
}

function keep(context: Context, record: SwitchRecord, onTrial: readonly Entry[], actor: Actor): void {
  const { store } = context;
  const entries = onTrial.map((entry): Entry => ({ ...entry, trial: record }));
  const deadline =
    record.confirmBy === null
      ? 'until somebody confirms or rolls back'
      : `until ${new Date(record.confirmBy).toISOString()}`;
  const entry = store.write(() => {
    store.saveSwitch(record);
    for (const one of entries) store.saveService(toRow(one));
    return journal(
      context,
      'switch',
      record.services,
      actor,
      `${describeMove(entries)}, on trial ${deadline}`,
      {
        switch: record.id,
        confirmBy: record.confirmBy,
        connections: record.connections,
        flipMicros: record.flipMicros,
      },
    );
  });
  context.entries = withEntries(context.entries, entries);
  context.wake();
  context.events.emit('outcome', { state: 'trial', cause: 'asked' });
  publish(context, entry);
}

function describeMove(entries: readonly Entry[]): string {
  return entries
    .map((entry) => `${entry.service.name} goes to ${entry.slots[otherSlot(entry.primary)]}`)
    .join(', ');
}

/**
 * The counts of flows belong to the record; a failure to write them costs nothing else, and so does a power cut. The
 * intent ends here: until then the next start ends old flows once more.
 */
export function update(context: Context, record: SwitchRecord, intent: number | null): SwitchRecord {
  try {
    context.store.writeAhead(() => {
      context.store.saveSwitch(record);
      if (intent !== null) context.store.conclude(intent);
    });
  } catch (error) {
    note(context, record.services, 'it is done, but how many flows it met could not be written down', error);
  }
  const entries = record.services.flatMap((name) => {
    const entry = context.entries.get(name);
    return entry?.trial?.id === record.id ? [{ ...entry, trial: record }] : [];
  });
  context.entries = withEntries(context.entries, entries);
  return record;
}

export const list = (names: readonly string[]): string => names.join(', ');

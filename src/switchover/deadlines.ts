import { formatNetwork, formatSource } from '../model/address.ts';
import type { JournalRecord, SwitchRecord } from '../model/records.ts';
import { applyEntries } from './change.ts';
import { note } from './note.ts';
import type { Context } from './context.ts';
import { journal, publish, saveEntry, withEntries } from './context.ts';
import { endTrial } from './end-trial.ts';
import { cut, liveSlotOf } from './flows.ts';
import { endsOf } from './registry.ts';
import type { Entry } from './registry.ts';
import { settleSenders } from './senders.ts';
import { list } from './switch-over.ts';

const DIRECTOR = { by: 'director' };

/** The next moment at which something ends by itself; null where nothing will. */
export function nextDeadline({ entries, store }: Context): number | null {
  let next = Infinity;
  for (const entry of entries.values()) for (const end of endsOf(entry)) next = Math.min(next, end);
  for (const { drainUntil } of store.draining()) next = Math.min(next, drainUntil ?? Infinity);
  return next === Infinity ? null : next;
}

/** What has come to its end by now. The kernel ends it by itself too; this is to tell, and to tidy. */
export async function passDeadlines(context: Context): Promise<void> {
  const now = context.clock.now();
  await expireTrials(context, now);
  await endHoldsAndLeases(context, now);
  await cutDrained(context, now);
}

async function expireTrials(context: Context, now: number): Promise<void> {
  const due = new Set<string>();
  for (const { trial } of context.entries.values()) {
    if (trial?.state === 'trial' && trial.confirmBy !== null && trial.confirmBy <= now) due.add(trial.id);
  }
  for (const id of due) await endTrial(context, id, 'expired', DIRECTOR);
}

async function endHoldsAndLeases(context: Context, now: number): Promise<void> {
  const due = [...context.entries.values()].filter((entry) => hasEnded(entry, now));
  if (due.length === 0) return;
  const ended = context.store.write(() => due.map((entry) => endOf(context, entry, now)));
  context.entries = withEntries(
    context.entries,
    ended.map(({ entry }) => entry),
  );
  publish(context, ...ended.flatMap(({ records }) => records));
  await applyEntries(context, context.entries, false);
  await settleSenders(
    context,
    ended.flatMap(({ entry, unenrolled }) => (unenrolled ? entry.service.name : [])),
  );
}

function hasEnded({ heldUntil, leases }: Entry, now: number): boolean {
  if (heldUntil === null && leases.length === 0) return false;
  return [heldUntil, ...leases.map(({ expiresAt }) => expiresAt)].some((end) => end !== null && end <= now);
}

interface Ended {
  readonly entry: Entry;
  readonly records: JournalRecord[];
  /** Somebody does not test it any more. */
  readonly unenrolled: boolean;
}

function endOf(context: Context, entry: Entry, now: number): Ended {
  const { store } = context;
  const name = entry.service.name;
  const over = entry.leases.filter(({ expiresAt }) => expiresAt !== null && expiresAt <= now);
  const released = entry.heldUntil !== null && entry.heldUntil <= now;
  const next: Entry = {
    ...entry,
    heldUntil: released ? null : entry.heldUntil,
    leases: entry.leases.filter((lease) => !over.includes(lease)),
    generation: entry.generation + 1,
  };
  saveEntry(context, next);
  const records = over.map(({ source }) => {
    store.removeLease(name, formatNetwork(source));
    return journal(
      context,
      'tester-expire',
      [name],
      DIRECTOR,
      `the lease of ${formatSource(source)}, who tested ${name}, has ended`,
      { source: formatSource(source) },
    );
  });
  if (released) records.push(journal(context, 'release', [name], DIRECTOR, `the hold of ${name} has ended`));
  return { entry: next, records, unenrolled: over.length > 0 };
}

/** Connections that were given a time to end by themselves have had it. */
async function cutDrained(context: Context, now: number): Promise<void> {
  for (const record of context.store.draining().filter(({ drainUntil }) => (drainUntil ?? 0) <= now)) {
    const cut = await cutOld(context, record);
    publish(
      context,
      context.store.write(() => {
        context.store.saveSwitch({ ...record, cut: record.cut + cut, drainUntil: null });
        return journal(
          context,
          'drained',
          record.services,
          DIRECTOR,
          `the time to drain of ${list(record.services)} is up: ${cut} connections were cut`,
          { switch: record.id, cut },
        );
      }),
    );
  }
}

async function cutOld(context: Context, record: SwitchRecord): Promise<number> {
  let ended = 0;
  for (const [name, slot] of Object.entries(record.draining)) {
    const entry = context.entries.get(name);
    if (entry === undefined || liveSlotOf(entry) === slot) continue;
    try {
      ended += await cut(context, entry, slot, 'tcp');
    } catch (error) {
      note(context, [name], 'old connections could not be cut at their time', error);
    }
  }
  return ended;
}

import type { DomainReport, JournalRecord } from '../model/records.ts';
import type { GuestChange, Told } from '../xen/guests.ts';
import type { Context } from './context.ts';
import { journal, publish } from './context.ts';
import { note } from './note.ts';

const TOLD = 'guests';

/** Listens to what becomes of the DomUs: into the journal with it, and the kernel is looked at where vifs are others. */
export function followGuests(context: Context, lookAgain: () => void): void {
  const { guests, events, health } = context;
  guests.remember(readTold(context.store.meta(TOLD)));
  guests.start({
    onReport: (service) => events.emit('service', service),
    onVifs: lookAgain,
    onTold: (changes) => tell(context, changes),
    onFailure: (error) => {
      if (error !== null) note(context, [], 'Xen does not tell how the DomUs are', error);
    },
  });
  // A guest that is paused is told by nobody, but it does not answer.
  health.onChange(() => void guests.look());
}

/** What was told is written down with it: what happens while no director runs, the next one tells. */
function tell(context: Context, changes: readonly GuestChange[]): void {
  const { store, guests } = context;
  try {
    const records = store.write(() => {
      store.saveMeta(TOLD, JSON.stringify([...guests.told()]));
      return changes.flatMap((change) => entryOf(context, change));
    });
    publish(context, ...records);
  } catch (error) {
    context.events.emit('reconcile-failed', { error });
  }
}

function entryOf(context: Context, { service, domu, before, now }: GuestChange): JournalRecord[] {
  if (before === null) return [];
  const details = { domu, domain: now.name, state: now.state, domid: now.domid, before };
  const text = `${domu} of ${service} ${sentence(before, now)}`;
  return [journal(context, 'domu', [service], { by: 'xen' }, text, details)];
}

function sentence(before: Told, { name, state, domid }: DomainReport): string {
  const number = domid === null ? '' : ` (domain ${domid})`;
  const was = before.domid === null || before.domid === domid ? '' : `, it was domain ${before.domid} before`;
  switch (state) {
    case 'absent':
      return `is gone: Xen has no domain ${name} any more${was}`;
    case 'paused':
      return `is paused${number}${was}`;
    case 'crashed':
      return `has crashed${number}${was}`;
    case 'shutdown':
      return `has shut down${number}${was}`;
    case 'running':
    case 'unknown':
      return before.state === 'running' ? `was started anew${number}${was}` : `runs again${number}${was}`;
    default:
      return state satisfies never;
  }
}

function readTold(text: string | null): Map<string, Told> {
  return new Map(JSON.parse(text ?? '[]') as [string, Told][]);
}

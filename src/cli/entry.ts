import { journalEntry } from '../api/contract.ts';
import type { JournalEntry } from '../api/contract.ts';
import { cleanDeep } from './clean.ts';
import type { ServerEvent } from '../lib/sse.ts';

/** The journal entry that an event carries; null for events of other kinds, and for what is not understood. */
export function entryOf({ event, data }: ServerEvent): JournalEntry | null {
  if (event === 'service') return null;
  try {
    return journalEntry.parse(cleanDeep(JSON.parse(data)));
  } catch {
    return null;
  }
}

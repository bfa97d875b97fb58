import type { JournalRecord } from '../model/records.ts';
import type { Context } from './context.ts';
import { publish, toRow } from './context.ts';

/**
 * What the kernel has already must reach the disk, and in its order. Throws what the disk said where it does not take
 * it now; the watch, and whoever changes something next, goes on trying.
 */
export function saveInTurn(context: Context, save: () => JournalRecord | null): void {
  context.unsaved.push(() => {
    const record = context.store.write(save);
    if (record !== null) publish(context, record);
  });
  saveUnsaved(context);
}

export function saveUnsaved({ unsaved }: Context): void {
  for (let next = unsaved[0]; next !== undefined; next = unsaved[0]) {
    next();
    unsaved.shift();
  }
}

/** As they are by then: much may have been changed since it was to be saved. */
export function saveRows({ store, entries }: Context, names: readonly string[]): void {
  for (const name of names) {
    const entry = entries.get(name);
    if (entry !== undefined) store.saveService(toRow(entry));
  }
}

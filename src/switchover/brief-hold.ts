import { applyEntries } from './change.ts';
import { note } from './note.ts';
import { withEntries } from './context.ts';
import type { Context } from './context.ts';
import type { Entry } from './registry.ts';

/**
 * Lets the packets of these services wait while `work` is done: senders try again, and no write reaches the old side
 * after the new one is live. The kernel ends it after `forMs` whatever becomes of us. Services that somebody holds
 * already stay held.
 */
export async function whileHeld<T>(
  context: Context,
  entries: readonly Entry[],
  forMs: number,
  work: () => Promise<T>,
): Promise<T> {
  const now = context.clock.now();
  const free = entries.filter(({ heldUntil }) => heldUntil === null || heldUntil <= now);
  if (free.length === 0) return work();
  const held = free.map((entry): Entry => ({ ...entry, heldUntil: now + forMs }));
  try {
    await applyEntries(context, withEntries(context.entries, held), false);
    context.events.emit('held', { cause: 'switch' });
    return await work();
  } finally {
    await applyEntries(context, context.entries, false).catch((error: unknown) =>
      note(
        context,
        free.map(({ service }) => service.name),
        'a hold could not be ended; it ends by itself',
        error,
      ),
    );
  }
}

import { holdElements } from '../plan/sets.ts';
import { note } from './note.ts';
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
  const services = entries
    .filter(({ heldUntil }) => heldUntil === null || heldUntil <= now)
    .map(({ service }) => service);
  const holds = holdElements(services, now + forMs);
  try {
    for (const { set, elements } of holds)
      await context.kernel.apply({ kind: 'set-add', set, elements, why: 'held during a switch' });
    if (holds.length > 0) context.events.emit('held', { cause: 'switch' });
    return await work();
  } finally {
    for (const { set, elements } of holds) {
      await context.kernel
        .apply({ kind: 'set-delete', set, elements, why: 'the switch is done' })
        .catch((error: unknown) =>
          note(
            context,
            services.map(({ name }) => name),
            'a hold could not be ended; it ends by itself',
            error,
          ),
        );
    }
  }
}

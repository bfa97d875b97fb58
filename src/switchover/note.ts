import { messageOf } from '../lib/errors.ts';
import type { Context } from './context.ts';
import { publish } from './context.ts';

/** For what must be told but must not stop what goes on: into the journal, or at least to the listeners. */
export function note(context: Context, services: readonly string[], text: string, error: unknown): void {
  const entry = {
    at: context.clock.now(),
    kind: 'error' as const,
    services,
    by: 'director',
    text: `${text}: ${messageOf(error)}`,
    why: null,
    details: {},
  };
  try {
    publish(
      context,
      context.store.write(() => context.store.append(entry)),
    );
  } catch {
    context.events.emit('journal', { id: 0, ...entry });
  }
}

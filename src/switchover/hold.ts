import { formatDuration, LONGEST_TIMEOUT } from '../lib/duration.ts';
import { Refusal } from '../lib/errors.ts';
import { change } from './change.ts';
import type { Context } from './context.ts';
import { journal } from './context.ts';
import type { Actor } from './director.ts';
import { mustFind } from './switch-over.ts';

/** The service's packets wait: they are dropped until `forMs` have passed, which the kernel counts, or somebody releases. */
export async function hold(context: Context, name: string, forMs: number, actor: Actor): Promise<void> {
  if (!(forMs > 0 && forMs <= LONGEST_TIMEOUT)) {
    throw new Refusal('invalid', 'a hold lasts from 1ms to 24d', {
      faults: [{ path: '/for', message: 'must be from 1ms to 24d' }],
    });
  }
  const entry = mustFind(context, name);
  const heldUntil = context.clock.now() + forMs;
  await change(context, {
    actor,
    changed: [{ ...entry, heldUntil, generation: entry.generation + 1 }],
    save: () => [
      journal(context, 'hold', [name], actor, `${name} is held for ${formatDuration(forMs)}`, {
        until: heldUntil,
      }),
    ],
  });
  context.events.emit('held', { cause: 'asked' });
}

export async function release(context: Context, name: string, actor: Actor): Promise<void> {
  const entry = mustFind(context, name);
  if (entry.heldUntil === null || entry.heldUntil <= context.clock.now()) {
    throw new Refusal('conflict', `${name} is not held; nothing was changed`);
  }
  await change(context, {
    actor,
    changed: [{ ...entry, heldUntil: null, generation: entry.generation + 1 }],
    save: () => [journal(context, 'release', [name], actor, `${name} is released`)],
  });
}

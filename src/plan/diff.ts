import { atOnce } from '../lib/turn.ts';
import type { Steps } from '../lib/turn.ts';
import type { KernelState } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import { diffLinks, undoLinks } from './diff-links.ts';
import { diffSets, undoSets } from './diff-sets.ts';
import { diffTables } from './diff-tables.ts';
import type { CrookedSet } from './replace-sets.ts';
import { crookedSets, replaceSets } from './replace-sets.ts';

/**
 * What turns `observed` into `desired`, in an order in which no packet meets a hole: sets before the rules that read
 * them, rules before the forwarding and the links that packets come by; what goes, goes the other way round.
 */
export const diff = (desired: KernelState, observed: KernelState): Operation[] =>
  atOnce(diffInSteps(desired, observed));

/** The same; others may have their turns meanwhile. */
export function* diffInSteps(desired: KernelState, observed: KernelState): Steps<Operation[]> {
  const crooked = crookedSets(desired, observed);
  const straight = without(observed, crooked);
  const forward =
    crooked.length > 0
      ? yield* replaceSets(desired, straight, crooked)
      : [...(yield* diffSets(desired, observed)), ...(yield* diffTables(desired, observed))];
  return [
    ...forward,
    ...(yield* diffLinks(desired, observed)),
    ...(yield* undoLinks(desired, observed)),
    ...(yield* undoSets(desired, straight)),
  ];
}

function without(observed: KernelState, crooked: readonly CrookedSet[]): KernelState {
  if (crooked.length === 0) return observed;
  const names = new Set(crooked.map(({ set }) => set.name));
  return { ...observed, sets: observed.sets.filter(({ name }) => !names.has(name)) };
}

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
export function diff(desired: KernelState, observed: KernelState): Operation[] {
  const crooked = crookedSets(desired, observed);
  const straight = without(observed, crooked);
  const forward =
    crooked.length > 0
      ? replaceSets(desired, straight, crooked)
      : [...diffSets(desired, observed), ...diffTables(desired, observed)];
  return [
    ...forward,
    ...diffLinks(desired, observed),
    ...undoLinks(desired, observed),
    ...undoSets(desired, straight),
  ];
}

function without(observed: KernelState, crooked: readonly CrookedSet[]): KernelState {
  if (crooked.length === 0) return observed;
  const names = new Set(crooked.map(({ set }) => set.name));
  return { ...observed, sets: observed.sets.filter(({ name }) => !names.has(name)) };
}

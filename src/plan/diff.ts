import type { KernelState } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import { diffLinks, undoLinks } from './diff-links.ts';
import { diffSets, undoSets } from './diff-sets.ts';
import { diffTables } from './diff-tables.ts';

/**
 * What turns `observed` into `desired`, in an order in which no packet meets a hole: sets before the rules that read
 * them, rules before the forwarding and the links that packets come by; what goes, goes the other way round.
 */
export function diff(desired: KernelState, observed: KernelState): Operation[] {
  return [
    ...diffSets(desired, observed),
    ...diffTables(desired, observed),
    ...diffLinks(desired, observed),
    ...undoLinks(desired, observed),
    ...undoSets(desired, observed),
  ];
}

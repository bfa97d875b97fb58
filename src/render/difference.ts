import { apart } from '../lib/keep.ts';
import { FAMILIES } from '../model/address.ts';
import type { Family } from '../model/address.ts';
import { EMPTY_TABLES } from '../model/kernel-state.ts';
import type { KernelState, SetState, TableStates } from '../model/kernel-state.ts';
import type { FamilyPlan } from '../plan/chains.ts';
import type { Plan } from '../plan/plan.ts';
import type { Frames } from './render.ts';
import { renderOtherTables } from './tables.ts';

/** Two states of the kernel, without what both have in common. */
export interface Difference {
  readonly before: KernelState;
  readonly after: KernelState;
}

/**
 * What `diff` has to know of two plans: in both what the other one has not, told by the identity of what one Planner has
 * planned. Costs next to nothing of what is the same. null where all of it has to be rendered: a family comes or goes.
 */
export function renderDifference(frames: Frames, before: Plan, after: Plan): Difference | null {
  const tables = FAMILIES.map((family) =>
    familyDifference(frames, family, before.families[family], after.families[family]),
  );
  const [four, six] = tables;
  if (four == null || six == null) return null;
  return {
    before: { ...without(before, after), tables: { 4: four.before, 6: six.before } },
    after: { ...without(after, before), tables: { 4: four.after, 6: six.after } },
  };
}

function familyDifference(
  frames: Frames,
  family: Family,
  before: FamilyPlan | null,
  after: FamilyPlan | null,
): { before: TableStates; after: TableStates } | null {
  if (before === null && after === null) return { before: EMPTY_TABLES, after: EMPTY_TABLES };
  if (before?.markMask !== after?.markMask || before === null || after === null) return null;
  return {
    before: renderOtherTables(frames[family], before, after),
    after: renderOtherTables(frames[family], after, before),
  };
}

function without(plan: Plan, other: Plan): Omit<KernelState, 'tables'> {
  const { bridges, addresses, sets, choice, sysctls } = plan;
  return {
    bridges: missingIn(other.bridges, bridges),
    addresses: missingIn(other.addresses, addresses),
    sets: otherSets(other.sets, sets),
    choice,
    sysctls,
  };
}

function missingIn<Item>(others: readonly Item[], items: readonly Item[]): Item[] {
  const { a, b } = apart(others, items);
  const known = new Set(a);
  return b.filter((item) => !known.has(item));
}

/** Sets of all services are planned anew each time; most of their elements are not. */
function otherSets(others: readonly SetState[], sets: readonly SetState[]): SetState[] {
  const known = new Map(missingIn(sets, others).map((set) => [set.name, set]));
  return missingIn(others, sets).flatMap((set) => {
    const other = known.get(set.name);
    if (other === undefined) return [set];
    return other.elements === set.elements
      ? []
      : [{ ...set, elements: missingIn(other.elements, set.elements) }];
  });
}

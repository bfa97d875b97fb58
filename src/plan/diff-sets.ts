import { filterInSteps, indexInSteps } from '../lib/turn.ts';
import type { Steps } from '../lib/turn.ts';
import type { KernelState, SetElement, SetSpec, SetState } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import { isOurSet } from './names.ts';

/**
 * How far apart two deadlines may be and still be the same: the kernel counts timeouts in whole seconds, and what is
 * rounded up when it is set is rounded down when it is read.
 */
const TOLERANCE_MS = 2500;

/** Makes sets and fills them; whatever must not be matched any more goes in undoSets, after the rules. */
export function* diffSets(desired: KernelState, observed: KernelState): Steps<Operation[]> {
  const existing = yield* indexInSteps(observed.sets, ({ name }) => name);
  // First: the kernel finds a set by comparing names, in the order in which they were made, and a switch waits for it.
  const operations = createChoice(desired, observed);
  for (const set of desired.sets) {
    operations.push(...(yield* diffSet(set, existing.get(set.name))));
    yield;
  }
  return [...operations, ...fillChoice(desired, observed)];
}

function* diffSet(set: SetState, existing: SetState | undefined): Steps<Operation[]> {
  const spec = specOf(set);
  if (existing === undefined) {
    const create: Operation = { kind: 'set-create', set: spec, why: `${set.name} does not exist` };
    const fill: Operation = { kind: 'set-add', set: spec, elements: set.elements, why: `${set.name} is new` };
    return set.elements.length === 0 ? [create] : [create, fill];
  }
  const there = yield* indexInSteps(existing.elements, ({ key }) => key);
  const missing = yield* filterInSteps(set.elements, (element) => !same(element, there.get(element.key)));
  return missing.length === 0
    ? []
    : [{ kind: 'set-add', set: spec, elements: missing, why: `not in ${set.name}: ${some(missing)}` }];
}

function createChoice(desired: KernelState, observed: KernelState): Operation[] {
  if (desired.choice === null || observed.choice !== null) return [];
  return [{ kind: 'choice-create', why: 'the choice list or one of its banks is missing' }];
}

function fillChoice(desired: KernelState, observed: KernelState): Operation[] {
  if (desired.choice === null) return [];
  const { elements } = desired.choice;
  const there = new Map((observed.choice?.elements ?? []).map((element) => [element.key, element]));
  const equal =
    there.size === elements.length && elements.every((element) => same(element, there.get(element.key)));
  if (equal) return [];
  return [
    {
      kind: 'choice-swap',
      choice: desired.choice,
      why: 'services on trial differ from what the choice list says',
    },
  ];
}

/** Takes out what should not be matched, then removes sets that nothing refers to any more. */
export function* undoSets(desired: KernelState, observed: KernelState): Steps<Operation[]> {
  const wanted = yield* indexInSteps(desired.sets, ({ name }) => name);
  const elements: Operation[] = [];
  for (const set of observed.sets) {
    elements.push(...(yield* surplus(set, wanted.get(set.name))));
    yield;
  }
  const sets = observed.sets
    .filter(({ name }) => !wanted.has(name) && isOurSet(name))
    .map((set): Operation => ({
      kind: 'set-destroy',
      set: specOf(set),
      why: `nothing needs ${set.name} any more`,
    }));
  const isThere = observed.choice !== null || observed.crooked?.choice === true;
  const choice: Operation[] =
    desired.choice === null && isThere ? [{ kind: 'choice-destroy', why: 'no service is left' }] : [];
  return [...elements, ...choice, ...sets];
}

export function* surplus(set: SetState, wanted: SetState | undefined): Steps<Operation[]> {
  if (wanted === undefined) return [];
  const keys = yield* indexInSteps(wanted.elements, ({ key }) => key);
  const extra = yield* filterInSteps(set.elements, ({ key }) => !keys.has(key));
  return extra.length === 0
    ? []
    : [
        {
          kind: 'set-delete',
          set: specOf(set),
          elements: extra,
          why: `not wanted in ${set.name}: ${some(extra)}`,
        },
      ];
}

function same(a: SetElement, b: SetElement | undefined): boolean {
  if (b === undefined) return false;
  if (a.expiresAt === null || b.expiresAt === null) return a.expiresAt === b.expiresAt;
  return Math.abs(a.expiresAt - b.expiresAt) <= TOLERANCE_MS;
}

export function specOf({ name, type, family, timeouts, counters }: SetState): SetSpec {
  return { name, type, family, timeouts, counters };
}

function some(elements: readonly SetElement[]): string {
  const shown = elements.slice(0, 3).map(({ key }) => key);
  return elements.length > 3 ? `${shown.join(' ')} and ${elements.length - 3} more` : shown.join(' ');
}

import { SET_NAME_MAX } from '../../model/kernel-state.ts';
import type { SetElement, SetSpec } from '../../model/kernel-state.ts';
import { addElements, removeElements } from './elements.ts';
import { referrersToSet } from './rules.ts';
import { refusal, withEntry, withoutEntry } from './state.ts';
import type { FakeSet, FakeState } from './state.ts';

/** ipset's own names: letters, digits and what else our names are made of. */
const SET_NAME = /^dir-[A-Za-z0-9._-]+$/;

export function setOf(state: FakeState, name: string): FakeSet {
  const set = state.sets.get(name);
  if (set === undefined) throw refusal('ENOENT', `there is no set ${name}`);
  return set;
}

export const replaceSet = (state: FakeState, name: string, set: FakeSet): FakeState =>
  state.sets.get(name) === set ? state : { ...state, sets: withEntry(state.sets, name, set) };

export function setCreate(state: FakeState, spec: SetSpec): FakeState {
  if (!SET_NAME.test(spec.name) || spec.name.length > SET_NAME_MAX) {
    throw refusal(
      'EINVAL',
      `"${spec.name}" is not a set's name: dir-..., at most ${SET_NAME_MAX} characters`,
    );
  }
  const { type, family, timeouts, counters } = spec;
  const there = state.sets.get(spec.name);
  if (there === undefined) {
    return replaceSet(state, spec.name, {
      type,
      family,
      timeouts,
      counters,
      elements: new Map(),
      members: [],
    });
  }
  if (!isLike(there, spec)) throw refusal('EEXIST', `the set ${spec.name} is there and of another kind`);
  return state;
}

function isLike(set: FakeSet, { type, family, timeouts, counters }: SetSpec): boolean {
  return set.type === type && set.family === family && set.timeouts === timeouts && set.counters === counters;
}

/** Whoever uses the set keeps it: a rule of any table, or a list that it is in. */
export function setDestroy(state: FakeState, name: string): FakeState {
  if (!state.sets.has(name)) return state;
  const users = [
    ...referrersToSet(state.tables, name),
    ...[...state.sets].filter(([, set]) => set.members.includes(name)).map(([list]) => `the list ${list}`),
  ];
  if (users.length > 0) throw refusal('EBUSY', `the set ${name} is in use by ${users.join(', ')}`);
  return { ...state, sets: withoutEntry(state.sets, name) };
}

/** IPSET_CMD_SWAP: the names change places; whoever refers to a name meets what the other was (ip_set_swap). */
export function setSwap(state: FakeState, a: string, b: string): FakeState {
  const [first, second] = [setOf(state, a), setOf(state, b)];
  return replaceSet(replaceSet(state, a, second), b, first);
}

export function setAdd(
  state: FakeState,
  name: string,
  elements: readonly SetElement[],
  now: number,
): FakeState {
  return replaceSet(state, name, addElements(name, setOf(state, name), elements, now));
}

export function setDelete(state: FakeState, name: string, elements: readonly SetElement[]): FakeState {
  return replaceSet(state, name, removeElements(name, setOf(state, name), elements));
}

export function setFlush(state: FakeState, name: string): FakeState {
  const set = setOf(state, name);
  const empty = set.elements.size === 0 && set.members.length === 0;
  return empty ? state : replaceSet(state, name, { ...set, elements: new Map(), members: [] });
}

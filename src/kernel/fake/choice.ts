import type { Choice, SetElement, SetSpec } from '../../model/kernel-state.ts';
import { ACTIVE_LIST, BANKS, bankNames, bankSets, CHOICE_SETS, IDLE_LIST, otherBank } from '../banks.ts';
import type { Bank } from '../banks.ts';
import { livingElements } from './elements.ts';
import { replaceSet, setAdd, setCreate, setDestroy, setFlush, setOf, setSwap } from './sets.ts';
import { refusal } from './state.ts';
import type { FakeState } from './state.ts';

/** The bank whose four sets, and no other, are in this list; null where there is none. */
function bankIn(state: FakeState, list: string): Bank | null {
  const members = state.sets.get(list)?.members ?? [];
  const whole = (bank: Bank): boolean =>
    members.length === 4 && bankNames(bank).every((name) => members.includes(name) && state.sets.has(name));
  return BANKS.find(whole) ?? null;
}

/** Whether everything is there, and each list holds one bank. */
function isWhole(state: FakeState): boolean {
  const active = bankIn(state, ACTIVE_LIST);
  return (
    active !== null &&
    bankIn(state, IDLE_LIST) === otherBank(active) &&
    [...CHOICE_SETS].every((name) => state.sets.has(name))
  );
}

function listCreate(state: FakeState, name: string, bank: Bank): FakeState {
  const members = bankNames(bank);
  const there = state.sets.get(name);
  if (there !== undefined && there.type !== 'list:set') {
    throw refusal('EEXIST', `the set ${name} is there and not a list of sets`);
  }
  if (there !== undefined && bankIn(state, name) === bank) return state;
  const list = { type: 'list:set', family: 4, timeouts: false, counters: false } as const;
  return replaceSet(state, name, { ...list, elements: new Map(), members });
}

/** Makes what is missing. A bank that is whole stays where it is, with what is in it. */
export function choiceCreate(state: FakeState): FakeState {
  const idle = bankIn(state, IDLE_LIST);
  const active = bankIn(state, ACTIVE_LIST) ?? (idle === null ? 'x' : otherBank(idle));
  let next = state;
  for (const spec of BANKS.flatMap((bank) => bankSets(bank))) next = setCreate(next, spec);
  next = listCreate(next, ACTIVE_LIST, active);
  return listCreate(next, IDLE_LIST, otherBank(active));
}

/** Empties the idle bank and fills it. */
export function choicePrepare(state: FakeState, { elements }: Choice, now: number): FakeState {
  const idle = bankIn(state, IDLE_LIST);
  if (!isWhole(state) || idle === null) {
    throw refusal('ENOENT', `the list ${ACTIVE_LIST} or a bank of it is not there`, 'choice-create makes it');
  }
  let next = state;
  for (const spec of bankSets(idle)) {
    const own = elements.filter((element) => belongs(element, spec));
    next = setAdd(setFlush(next, spec.name), spec.name, own, now);
  }
  return next;
}

function belongs({ key }: SetElement, { type, family }: SetSpec): boolean {
  const [address = ''] = key.split(',');
  return (address !== key) === (type === 'hash:ip,port') && address.includes(':') === (family === 6);
}

export const choiceCommit = (state: FakeState): FakeState => setSwap(state, ACTIVE_LIST, IDLE_LIST);

/** The lists first: while a rule reads them, nothing of the choice can go. */
export function choiceDestroy(state: FakeState): FakeState {
  return [...CHOICE_SETS].reduce(setDestroy, state);
}

/** What the active list says; null where the choice is not whole. */
export function choiceOf(state: FakeState, now: number): Choice | null {
  const active = bankIn(state, ACTIVE_LIST);
  if (active === null || !isWhole(state)) return null;
  const elements = bankNames(active).flatMap((name) => livingElements(setOf(state, name), now));
  return { elements };
}

import type { Family } from '../../model/address.ts';
import type {
  BridgeState,
  KernelState,
  LinkAddress,
  SetState,
  SetType,
  TableStates,
} from '../../model/kernel-state.ts';
import type { LinkInfo, Scope } from '../kernel.ts';
import { CHOICE_SETS } from '../banks.ts';
import { choiceOf } from './choice.ts';
import { livingElements } from './elements.ts';
import { observeTable } from './rules.ts';
import type { PlacedJump } from './rules.ts';
import { sysctlOf } from './sysctls.ts';
import type { FakeSet, FakeState } from './state.ts';

export function observeState(
  state: FakeState,
  scope: Scope,
  jumps: readonly PlacedJump[],
  now: number,
): KernelState {
  return {
    bridges: observeBridges(state, scope),
    addresses: observeAddresses(state, scope),
    sets: observeSets(state, now),
    ...choiceAndCrooked(state, now),
    tables: { 4: observeTables(state, 4, jumps), 6: observeTables(state, 6, jumps) },
    sysctls: observeSysctls(state, scope),
  };
}

function observeBridges(state: FakeState, scope: Scope): BridgeState[] {
  return [...state.links.values()]
    .filter(({ kind, ours, name }) => kind === 'bridge' && (ours || scope.links.includes(name)))
    .map(({ name, ours, up }) => ({ name, ours, up, members: membersOf(state, name) }));
}

function membersOf(state: FakeState, bridge: string): string[] {
  return [...state.links.values()]
    .filter(({ master }) => master === bridge)
    .map(({ name }) => name)
    .sort();
}

function observeAddresses(state: FakeState, scope: Scope): LinkAddress[] {
  return state.addresses
    .filter(({ link, ours }) => ours || scope.links.includes(link) || state.links.get(link)?.ours === true)
    .map((entry) => ({ ...entry, announce: false }));
}

function observeSets(state: FakeState, now: number): SetState[] {
  return [...state.sets]
    .filter(([name]) => name.startsWith('dir-') && !CHOICE_SETS.has(name))
    .filter((entry): entry is [string, FakeSet & { type: SetType }] => entry[1].type !== 'list:set')
    .map(([name, set]) => {
      const { type, family, timeouts, counters } = set;
      return { name, type, family, timeouts, counters, elements: livingElements(set, now) };
    });
}

function choiceAndCrooked(state: FakeState, now: number): Pick<KernelState, 'choice' | 'crooked'> {
  const choice = choiceOf(state, now);
  const names = [...state.sets.keys()].filter((name) => name.startsWith('dir-'));
  const crooked = {
    sets: names.filter((name) => !CHOICE_SETS.has(name) && state.sets.get(name)?.type === 'list:set'),
    choice: choice === null && names.some((name) => CHOICE_SETS.has(name)),
  };
  return crooked.sets.length > 0 || crooked.choice ? { choice, crooked } : { choice };
}

function observeTables(state: FakeState, family: Family, jumps: readonly PlacedJump[]): TableStates {
  const tables = state.tables[family];
  return {
    filter: observeTable('filter', tables.filter, jumps),
    raw: observeTable('raw', tables.raw, jumps),
    mangle: observeTable('mangle', tables.mangle, jumps),
    nat: observeTable('nat', tables.nat, jumps),
  };
}

/** A setting that does not exist is left out. */
function observeSysctls(state: FakeState, scope: Scope): Record<string, string> {
  const found = scope.sysctls.map((key) => [key, sysctlOf(state, key)] as const);
  return Object.fromEntries(found.filter((entry): entry is readonly [string, string] => entry[1] !== null));
}

export function linkInfos(state: FakeState): LinkInfo[] {
  return [...state.links.values()].map(({ name, index, mac, up, master, mtu }) => ({
    name,
    index,
    mac,
    up,
    master,
    mtu,
  }));
}

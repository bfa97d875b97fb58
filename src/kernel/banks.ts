import type { SetSpec } from '../model/kernel-state.ts';

/** The list that the rules read, and the one that it is exchanged with. */
export const ACTIVE_LIST = 'dir-trial';
export const IDLE_LIST = 'dir-trial-next';
export const CHOICE_LISTS = [ACTIVE_LIST, IDLE_LIST] as const;

export type Bank = 'x' | 'y';
export const BANKS: readonly Bank[] = ['x', 'y'];
export const otherBank = (bank: Bank): Bank => (bank === 'x' ? 'y' : 'x');

/** The four sets of a bank: services on trial, and DomUs whose role is inverted, for each family. */
export function bankSets(bank: Bank): SetSpec[] {
  const common = { timeouts: true, counters: false };
  return [
    { name: `dir-trial-${bank}`, type: 'hash:ip,port', family: 4, ...common },
    { name: `dir-trial6-${bank}`, type: 'hash:ip,port', family: 6, ...common },
    { name: `dir-dark-${bank}`, type: 'hash:ip', family: 4, ...common },
    { name: `dir-dark6-${bank}`, type: 'hash:ip', family: 6, ...common },
  ];
}

export const bankNames = (bank: Bank): string[] => bankSets(bank).map(({ name }) => name);

/** Every set that belongs to the choice; none of them is among the plan's sets. */
export const CHOICE_SETS: ReadonlySet<string> = new Set([
  ...CHOICE_LISTS,
  ...BANKS.flatMap((bank) => bankNames(bank)),
]);

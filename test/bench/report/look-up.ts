import { median } from '../figures.ts';
import type { Flip } from '../flips.ts';
import type { Results } from '../results.ts';
import type { Case } from '../switches.ts';
import type { Kind, Worked } from '../works.ts';

export const DIRECTOR = 'director';

/** Those that came to their end. */
export function flipsOf({ switches }: Results, peer: string, which: Case): readonly Flip[] {
  const { services, moved, clients, locked = false, flows = 0 } = which;
  const found = switches.find(
    (one) =>
      one.peer === peer &&
      one.services === services &&
      one.moved === moved &&
      one.clients === clients &&
      (one.locked ?? false) === locked &&
      (one.flows ?? 0) === flows,
  );
  return (found?.flips ?? []).filter(({ outcome }) => outcome === 'done');
}

/** Nanoseconds. The way back tells once more what the kernel's part of the way forth was. */
export const figure = (flips: readonly Flip[], what: 'answer' | 'flip' | 'first' | 'last'): number =>
  median(
    flips
      .filter(({ way }) => what !== 'flip' || way === 'forth')
      .map((flip) => flip[what])
      .filter((value) => value >= 0),
  );

export interface Way {
  readonly services: number;
  readonly kind: Kind;
  readonly at?: 'first' | 'last';
  readonly family?: 4 | 6;
}

export function worksOf({ paths }: Results, peer: string, way: Way): readonly Worked[] {
  const { services, kind, at = 'first', family = 4 } = way;
  const found = paths.find(
    (one) =>
      one.peer === peer &&
      one.services === services &&
      one.kind === kind &&
      one.at === at &&
      one.family === family,
  );
  return found?.works ?? [];
}

/** Pieces of work a second. */
export const rate = ({ done, wall }: Worked): number => (done / wall) * 1e9;
export const rateOf = (works: readonly Worked[]): number => median(works.map(rate));
/** Microseconds of all CPUs for a piece of work. */
export const costOf = (works: readonly Worked[]): number =>
  median(works.map(({ busy, done }) => busy / done / 1000));

/** In the order in which they were measured. */
export const peersOf = (all: readonly { readonly peer: string }[]): string[] => [
  ...new Set(all.map(({ peer }) => peer)),
];
export const sizesOf = ({ switches, paths }: Results): number[] =>
  [...new Set([...switches, ...paths].map(({ services }) => services))].toSorted((a, b) => a - b);

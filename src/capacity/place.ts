/** What a machine needs, in cores, by moment; moments at which nothing is known of it are not there. */
export interface Need {
  readonly name: string;
  readonly series: ReadonlyMap<number, number>;
}

interface Host {
  readonly names: string[];
  readonly series: Map<number, number>;
}

/** Sums of the same numbers in another order differ in their last digits. */
const ROUNDING = 1e-9;

export const peakOf = ({ series }: Need): number => Math.max(0, ...series.values());

/**
 * Machines on hosts that carry `usable` cores each, at every moment: the biggest first, each to the first host that
 * has room (first fit decreasing, at most 11/9 of the best placement and one host more). Every need must fit on a
 * host of its own.
 */
export function place(needs: readonly Need[], usable: number): string[][] {
  const hosts: Host[] = [];
  const biggestFirst = needs.toSorted((a, b) => peakOf(b) - peakOf(a) || (a.name < b.name ? -1 : 1));
  for (const need of biggestFirst) {
    let host = hosts.find(({ series }) => hasRoom(series, need, usable));
    if (host === undefined) hosts.push((host = { names: [], series: new Map() }));
    host.names.push(need.name);
    for (const [at, cores] of need.series) host.series.set(at, (host.series.get(at) ?? 0) + cores);
  }
  return hosts.map(({ names }) => names);
}

function hasRoom(series: ReadonlyMap<number, number>, need: Need, usable: number): boolean {
  for (const [at, cores] of need.series) if ((series.get(at) ?? 0) + cores > usable + ROUNDING) return false;
  return true;
}

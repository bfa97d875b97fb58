import type { Kernel, Traffic } from '../kernel/kernel.ts';
import { FAMILIES } from '../model/address.ts';
import type { Domu } from '../model/service.ts';
import type { Counter } from '../plan/names.ts';
import { setName } from '../plan/names.ts';

/** By address. */
export type Counters = ReadonlyMap<string, Traffic>;

/** Of both families. A set that does not exist counts nothing: no service uses its family. */
export async function readCounters(kernel: Kernel, counter: Counter): Promise<Counters> {
  const [four, six] = await Promise.all(
    FAMILIES.map((family) => kernel.counters(setName(counter, family)).catch((): Counters => new Map())),
  );
  return new Map([...(four ?? []), ...(six ?? [])]);
}

/** All of a DomU's addresses; null where none of them is counted. */
export function totalOf({ addresses }: Domu, counters: Counters): Traffic | null {
  const found = addresses.flatMap(({ text }) => counters.get(text) ?? []);
  if (found.length === 0) return null;
  return found.reduce((a, b) => ({ packets: a.packets + b.packets, bytes: a.bytes + b.bytes }));
}

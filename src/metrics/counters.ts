import type { Kernel, Traffic } from '../kernel/kernel.ts';
import type { Family } from '../model/address.ts';
import type { Domu } from '../model/service.ts';
import type { Counter } from '../plan/names.ts';
import { setName } from '../plan/names.ts';

/** By address. */
export type Counters = Readonly<Record<Family, ReadonlyMap<string, Traffic>>>;

const NOTHING: ReadonlyMap<string, Traffic> = new Map();

/**
 * Of both families, of all addresses or of `only` these. A set that does not exist counts nothing: no service uses its
 * family. One set after the other: a flip that waits for its turn at the kernel waits for one of them, not for all.
 */
export async function readCounters(
  kernel: Kernel,
  counter: Counter,
  only?: ReadonlySet<string>,
): Promise<Counters> {
  const read = (family: Family): Promise<ReadonlyMap<string, Traffic>> =>
    kernel.counters(setName(counter, family), only).catch(() => NOTHING);
  const four = await read(4);
  return { 4: four, 6: await read(6) };
}

/** All of a DomU's addresses; null where none of them is counted. Lean: it is asked ten times a service and scrape. */
export function totalOf({ addresses }: Domu, counters: Counters): Traffic | null {
  let total: Traffic | null = null;
  for (const { family, text } of addresses) {
    const found = counters[family].get(text);
    if (found === undefined) continue;
    total =
      total === null ? found : { packets: total.packets + found.packets, bytes: total.bytes + found.bytes };
  }
  return total;
}

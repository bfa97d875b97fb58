import type { DomainVif } from './hypervisor.ts';
import { VIFS, vifOf } from './parse-vifs.ts';
import type { Xenstore } from './xenstore.ts';

const KEYS = ['vifname', 'mac', 'bridge', 'hotplug-status'] as const;

/** Of each guest that has vifs here: its name, which it may have lost already, and its vifs in the order of their numbers. */
export interface GuestVifs {
  readonly domid: number;
  readonly name: string | null;
  readonly vifs: readonly DomainVif[];
}

/** What `xenstore-ls` would list, read a key at a time: all questions are under way at once. */
export async function readVifs(xenstore: Xenstore): Promise<GuestVifs[]> {
  const domids = numbers(await xenstore.directory(VIFS));
  return Promise.all(
    domids.map(async (domid) => {
      const [name, devices] = await Promise.all([
        xenstore.read(`/local/domain/${domid}/name`),
        xenstore.directory(`${VIFS}/${domid}`),
      ]);
      const vifs = await Promise.all(numbers(devices).map((device) => readVif(xenstore, domid, device)));
      return { domid, name, vifs };
    }),
  );
}

async function readVif(xenstore: Xenstore, domid: number, device: number): Promise<DomainVif> {
  const values = await Promise.all(
    KEYS.map(async (key) => [key, (await xenstore.read(`${VIFS}/${domid}/${device}/${key}`)) ?? ''] as const),
  );
  return vifOf(domid, device, new Map(values));
}

const numbers = (names: readonly string[]): number[] =>
  names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .toSorted((a, b) => a - b);

import { networkOf } from '../model/address.ts';
import type { Address, Family, InterfaceAddress } from '../model/address.ts';

/** Finds the networks around an address in time that grows with the number of different prefix lengths only. */
export class NetworkIndex<Owner> {
  readonly #byPrefix: Readonly<Record<Family, Map<number, Map<string, Owner[]>>>> = {
    4: new Map(),
    6: new Map(),
  };

  add(network: InterfaceAddress, owner: Owner): void {
    const byPrefix = this.#byPrefix[network.family];
    const byBase = byPrefix.get(network.prefix) ?? new Map<string, Owner[]>();
    const base = networkOf(network).address;
    byPrefix.set(network.prefix, byBase);
    byBase.set(base, [...(byBase.get(base) ?? []), owner]);
  }

  /** Owners of the networks, of at most this prefix length, that the address lies in; the widest networks first. */
  around({ family, text }: Address, longest: number): Owner[] {
    return [...this.#byPrefix[family]]
      .filter(([prefix]) => prefix <= longest)
      .sort(([a], [b]) => a - b)
      .flatMap(([prefix, byBase]) => byBase.get(networkOf({ family, address: text, prefix }).address) ?? []);
  }
}

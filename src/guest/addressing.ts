import { contains, formatNetwork, FULL_PREFIX } from '../model/address.ts';
import type { Family, InterfaceAddress } from '../model/address.ts';
import type { Bridge, Domu } from '../model/service.ts';

/** What a guest is told of its network. */
export interface Addressing {
  readonly family: Family;
  /** With the length of the bridge's prefix: `10.50.0.3/24`. The first is the one that connections are directed to. */
  readonly addresses: readonly string[];
  /** The Dom0's address on the bridge; null where none is in the same network as the first address. */
  readonly gateway: string | null;
}

/** The families that the DomU has addresses of, IPv4 first. */
export function addressingOf({ gateway }: Bridge, { addresses }: Domu): Addressing[] {
  return ([4, 6] as const).flatMap((family) => {
    const own = addresses.filter((address) => address.family === family);
    const [first] = own;
    if (first === undefined) return [];
    const networkOf = (text: string): InterfaceAddress | undefined =>
      gateway.find((network) => contains(network, { family, text }));
    const withPrefix = own.map(({ text }) =>
      formatNetwork({ family, address: text, prefix: networkOf(text)?.prefix ?? FULL_PREFIX[family] }),
    );
    return [{ family, addresses: withPrefix, gateway: networkOf(first.text)?.address ?? null }];
  });
}

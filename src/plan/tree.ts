import type { Address, Family, Network } from '../model/address.ts';
import { FULL_PREFIX, fromBits, toBits } from '../model/address.ts';
import { treeChain } from './names.ts';

/** One line of a chain of the tree: a smaller network has its own chain, or these are an address's own lines. */
export type Branch<Leaf> =
  | { readonly kind: 'network'; readonly network: Network; readonly chain: string }
  | { readonly kind: 'address'; readonly address: Address; readonly leaf: Leaf };

export interface Tree<Leaf> {
  readonly root: readonly Branch<Leaf>[];
  readonly chains: ReadonlyMap<string, readonly Branch<Leaf>[]>;
}

interface Item<Leaf> {
  readonly bits: bigint;
  readonly address: Address;
  readonly leaf: Leaf;
}

/** So many addresses are compared one after another; more are divided. */
const LINEAR = 8;
/** Bits by which a network is divided at a time: at most 2^3 lines in a chain. */
const STRIDE = 3;

/**
 * A tree of chains over addresses of one family, so that the cost of finding one grows with the logarithm of their
 * number. It depends on nothing but the addresses: another address changes only the chains on its way.
 */
export function buildTree<Leaf>(
  family: Family,
  entries: readonly { address: Address; leaf: Leaf }[],
  sign: '_' | '=' = '_',
): Tree<Leaf> {
  const items = entries
    .map(({ address, leaf }) => ({ bits: toBits(address), address, leaf }))
    .sort((a, b) => (a.bits < b.bits ? -1 : a.bits > b.bits ? 1 : 0));
  const chains = new Map<string, Branch<Leaf>[]>();
  return { root: branches(family, items, chains, sign), chains };
}

function branches<Leaf>(
  family: Family,
  items: readonly Item<Leaf>[],
  chains: Map<string, Branch<Leaf>[]>,
  sign: '_' | '=',
): Branch<Leaf>[] {
  if (items.length <= LINEAR) return items.map(({ address, leaf }) => ({ kind: 'address', address, leaf }));
  return divide(family, items).map((group): Branch<Leaf> => {
    const [only] = group;
    if (group.length === 1 && only !== undefined)
      return { kind: 'address', address: only.address, leaf: only.leaf };
    const network = commonNetwork(family, group);
    const chain = treeChain(network, sign);
    chains.set(chain, branches(family, group, chains, sign));
    return { kind: 'network', network, chain };
  });
}

/** Groups of neighbours that agree in the next bits after those that all have in common. */
function divide<Leaf>(family: Family, items: readonly Item<Leaf>[]): Item<Leaf>[][] {
  const common = commonNetwork(family, items).prefix;
  const shift = BigInt(Math.max(FULL_PREFIX[family] - common - STRIDE, 0));
  const groups = new Map<bigint, Item<Leaf>[]>();
  for (const item of items) {
    const key = item.bits >> shift;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** The smallest network that holds them all; `items` are in order. */
function commonNetwork<Leaf>(family: Family, items: readonly Item<Leaf>[]): Network {
  const first = items[0]?.bits ?? 0n;
  const last = items.at(-1)?.bits ?? 0n;
  const differing = first === last ? 0 : (first ^ last).toString(2).length;
  const address = fromBits(family, (first >> BigInt(differing)) << BigInt(differing));
  return { family, address, prefix: FULL_PREFIX[family] - differing };
}

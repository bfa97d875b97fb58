import { areSame } from '../lib/keep.ts';
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
  /** By chain, what it and those below it were made of: a tree of nearly the same items takes them over. */
  readonly parts: ReadonlyMap<string, Part<Leaf>>;
}

export interface Item<Leaf> {
  readonly bits: bigint;
  readonly address: Address;
  readonly leaf: Leaf;
}

interface Part<Leaf> {
  readonly items: readonly Item<Leaf>[];
  readonly branches: readonly Branch<Leaf>[];
  /** Chains that it leads to at once. */
  readonly below: readonly string[];
}

export const itemOf = <Leaf>(address: Address, leaf: Leaf): Item<Leaf> => ({
  bits: toBits(address),
  address,
  leaf,
});

export const byBits = (a: Item<unknown>, b: Item<unknown>): number =>
  a.bits < b.bits ? -1 : a.bits > b.bits ? 1 : 0;

/** So many addresses are compared one after another; more are divided. */
const LINEAR = 8;
/** Bits by which a network is divided at a time: at most 2^3 lines in a chain. */
const STRIDE = 3;

/**
 * A tree of chains over addresses of one family, so that the cost of finding one grows with the logarithm of their
 * number. It depends on nothing but the addresses: another address changes only the chains on its way. `items`: in order
 * (byBits), each address once. Chains of `before` whose items are the same objects are the same objects in the answer.
 */
export function buildTree<Leaf>(
  family: Family,
  items: readonly Item<Leaf>[],
  sign: '_' | '=' = '_',
  before: Tree<Leaf> | null = null,
): Tree<Leaf> {
  const parts = new Map<string, Part<Leaf>>();
  const { branches } = new Builder(family, sign, before, parts).part(items);
  return {
    root: branches,
    chains: new Map([...parts].map(([chain, part]) => [chain, part.branches])),
    parts,
  };
}

class Builder<Leaf> {
  readonly #family: Family;
  readonly #sign: '_' | '=';
  readonly #before: Tree<Leaf> | null;
  readonly #parts: Map<string, Part<Leaf>>;

  constructor(family: Family, sign: '_' | '=', before: Tree<Leaf> | null, parts: Map<string, Part<Leaf>>) {
    this.#family = family;
    this.#sign = sign;
    this.#before = before;
    this.#parts = parts;
  }

  part(items: readonly Item<Leaf>[]): Part<Leaf> {
    if (items.length <= LINEAR)
      return {
        items,
        branches: items.map(({ address, leaf }) => ({ kind: 'address', address, leaf })),
        below: [],
      };
    const below: string[] = [];
    const branches = divide(this.#family, items).map((group): Branch<Leaf> => {
      const [only] = group;
      if (group.length === 1 && only !== undefined)
        return { kind: 'address', address: only.address, leaf: only.leaf };
      const network = commonNetwork(this.#family, group);
      const chain = treeChain(network, this.#sign);
      this.#put(chain, group);
      below.push(chain);
      return { kind: 'network', network, chain };
    });
    return { items, branches, below };
  }

  /** Those below a chain come before it. */
  #put(chain: string, items: readonly Item<Leaf>[]): void {
    const known = this.#before?.parts.get(chain);
    if (known !== undefined && areSame(known.items, items)) this.#takeOver(chain, known);
    else this.#parts.set(chain, this.part(items));
  }

  #takeOver(chain: string, part: Part<Leaf>): void {
    for (const lower of part.below) {
      const known = this.#before?.parts.get(lower);
      if (known !== undefined) this.#takeOver(lower, known);
    }
    this.#parts.set(chain, part);
  }
}

/** Groups of neighbours that agree in the next bits after those that all have in common. */
function divide<Leaf>(family: Family, items: readonly Item<Leaf>[]): Item<Leaf>[][] {
  const common = commonNetwork(family, items).prefix;
  const shift = BigInt(Math.max(FULL_PREFIX[family] - common - STRIDE, 0));
  const groups: Item<Leaf>[][] = [];
  for (let start = 0; start < items.length;) {
    const end = endOf(items, start, shift);
    groups.push(items.slice(start, end));
    start = end;
  }
  return groups;
}

/** Where those end that agree with the one at `start` in all bits but the last ones. They are in order. */
function endOf(items: readonly Item<unknown>[], start: number, shift: bigint): number {
  const next = (((items[start]?.bits ?? 0n) >> shift) + 1n) << shift;
  let [low, high] = [start + 1, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle]?.bits ?? next) < next) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The smallest network that holds them all; `items` are in order. */
function commonNetwork(family: Family, items: readonly Item<unknown>[]): Network {
  const first = items[0]?.bits ?? 0n;
  const last = items.at(-1)?.bits ?? 0n;
  const differing = first === last ? 0 : (first ^ last).toString(2).length;
  const address = fromBits(family, (first >> BigInt(differing)) << BigInt(differing));
  return { family, address, prefix: FULL_PREFIX[family] - differing };
}

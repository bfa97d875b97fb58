import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Address, Family, Network } from '../../src/model/address.ts';
import { contains, fromBits, FULL_PREFIX } from '../../src/model/address.ts';
import { CHAIN_NAME_MAX } from '../../src/model/kernel-state.ts';
import type { Branch, Item, Tree } from '../../src/plan/tree.ts';
import { buildTree, byBits, itemOf } from '../../src/plan/tree.ts';

const RUNS = { numRuns: 40 };
/** Addresses that a chain compares one after another, and bits that a chain divides by. */
const LINEAR = 8;
const STRIDE = 3;

const many = { selector: ({ text }: Address) => text, minLength: 1, maxLength: 300, size: 'max' as const };

/** All over the address space, or close together, as those of one host are. */
function addresses(family: Family): fc.Arbitrary<Address[]> {
  const bits = FULL_PREFIX[family];
  const anywhere = fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });
  const nearby = fc.bigInt({ min: 0n, max: 4095n }).map((low) => (0xc0000200n << BigInt(bits - 32)) | low);
  const address = (value: bigint): Address => ({ family, text: fromBits(family, value) });
  return fc.oneof(
    fc.uniqueArray(anywhere.map(address), many),
    fc.uniqueArray(fc.noBias(anywhere).map(address), many),
    fc.uniqueArray(nearby.map(address), many),
  );
}

const sets = fc.constantFrom<Family>(4, 6).chain(addresses);
const items = (list: readonly Address[]): Item<string>[] =>
  list.map((address) => itemOf(address, `leaf of ${address.text}`)).sort(byBits);
const build = (list: readonly Address[]): Tree<string> => buildTree(list[0]?.family ?? 4, items(list));

interface Walk {
  readonly leaves: readonly string[];
  readonly chains: number;
  readonly rules: number;
}

/** As a packet goes: the first rule of a network that it is in decides (-g), the others' addresses are not its own. */
function walk(tree: Tree<string>, address: Address): Walk {
  let branches: readonly Branch<string>[] = tree.root;
  let [chains, rules] = [0, 0];
  const leaves: string[] = [];
  for (;;) {
    let next: readonly Branch<string>[] | undefined;
    for (const branch of branches) {
      rules++;
      if (branch.kind === 'address') {
        if (branch.address.text === address.text) leaves.push(branch.leaf);
      } else if (contains(branch.network, address)) {
        next = tree.chains.get(branch.chain);
        if (next === undefined) throw new Error(`${branch.chain} does not exist`);
        break;
      }
    }
    if (next === undefined) return { leaves, chains, rules };
    branches = next;
    chains++;
  }
}

function networks({ root, chains }: Tree<string>): Map<string, Network> {
  return new Map(
    [root, ...chains.values()]
      .flat()
      .flatMap((branch) => (branch.kind === 'network' ? [[branch.chain, branch.network] as const] : [])),
  );
}

describe('the tree of chains', () => {
  it('leads every address to its own leaf and to no other, and a strange one nowhere', () => {
    fc.assert(
      fc.property(sets, ([strange, ...known]) => {
        const tree = build(known);
        for (const address of known) expect(walk(tree, address).leaves).toEqual([`leaf of ${address.text}`]);
        expect(walk(tree, strange!).leaves).toEqual([]);
      }),
      RUNS,
    );
  });

  it('is as deep as the bits of an address allow, and only logarithmically so for addresses without a pattern', () => {
    const spread = fc.constantFrom<Family>(4, 6).chain((family) =>
      fc.uniqueArray(
        fc
          .noBias(fc.bigInt({ min: 0n, max: (1n << BigInt(FULL_PREFIX[family])) - 1n }))
          .map((bits): Address => ({ family, text: fromBits(family, bits) })),
        many,
      ),
    );
    fc.assert(
      fc.property(sets, (list) => {
        const tree = build(list);
        const deepest = Math.max(...list.map((address) => walk(tree, address).chains));
        expect(deepest).toBeLessThanOrEqual(Math.ceil(FULL_PREFIX[list[0]!.family] / STRIDE));
      }),
      { numRuns: 20 },
    );
    fc.assert(
      fc.property(spread, (list) => {
        const tree = build(list);
        const walks = list.map((address) => walk(tree, address));
        // Two more than a tree that were divided evenly: chance does not divide evenly.
        const depth = Math.ceil(Math.log2(list.length + 1) / STRIDE) + 2;
        expect(Math.max(...walks.map(({ chains }) => chains))).toBeLessThanOrEqual(depth);
        expect(Math.max(...walks.map(({ rules }) => rules))).toBeLessThanOrEqual(LINEAR * (depth + 1));
      }),
      RUNS,
    );
  });

  it('has no chain of more lines than are compared at once, none that leads nowhere, and names that iptables takes', () => {
    fc.assert(
      fc.property(sets, (list) => {
        const tree = build(list);
        for (const branches of [tree.root, ...tree.chains.values()])
          expect(branches.length).toBeLessThanOrEqual(LINEAR);
        expect([...networks(tree).keys()].sort()).toEqual([...tree.chains.keys()].sort());
        for (const chain of tree.chains.keys()) expect(chain.length).toBeLessThanOrEqual(CHAIN_NAME_MAX);
      }),
      RUNS,
    );
  });

  it('changes no chain beside the way of an address that comes, and depends on no order', () => {
    fc.assert(
      fc.property(sets, ([more, ...list]) => {
        const [before, after] = [build(list), build([more!, ...list.toReversed()])];
        const known = networks(before);
        for (const [chain, branches] of before.chains) {
          if (!contains(known.get(chain)!, more!) && after.chains.has(chain))
            expect(after.chains.get(chain)).toEqual(branches);
        }
        // Networks on its way may be divided anew; that is a few chains, not all of them.
        const depth = walk(after, more!).chains + 1;
        const differ = [...new Set([...before.chains.keys(), ...after.chains.keys()])].filter(
          (chain) => JSON.stringify(before.chains.get(chain)) !== JSON.stringify(after.chains.get(chain)),
        );
        expect(differ.length).toBeLessThanOrEqual(depth + 3 * LINEAR);
      }),
      RUNS,
    );
  });

  it('is the same whatever tree it was made from, and takes over what no address has come into or left', () => {
    const changed = fc.tuple(sets, fc.nat(20), fc.nat(20));
    fc.assert(
      fc.property(changed, ([list, come, go]) => {
        const all = items(list);
        const [family, older, newer] = [list[0]!.family, all.slice(come), all.slice(0, all.length - go)];
        const before = buildTree(family, older);
        const after = buildTree(family, newer, '_', before);
        const anew = buildTree(family, newer);
        expect(after.root).toEqual(anew.root);
        expect([...after.chains]).toEqual([...anew.chains]);
        const again = buildTree(family, older, '_', before);
        for (const [chain, branches] of again.chains) expect(branches).toBe(before.chains.get(chain));
      }),
      RUNS,
    );
  });
});

import type { Family } from '../model/address.ts';
import { groupBy } from '../lib/group.ts';
import { SortedItems } from '../lib/sorted.ts';
import type { DomuPlace, FamilyPlan, ServicePlan, ServicePorts } from './chains.ts';
import { buildTree, byBits } from './tree.ts';
import type { Item, Tree } from './tree.ts';

/** Plans the chains of one family, again and again: what has not changed since is the same object as before. */
export class ChainPlanner {
  readonly #dispatch: GrownTree<readonly ServicePorts[]>;
  readonly #guard: GrownTree<DomuPlace>;
  readonly #quarantine: GrownTree<DomuPlace>;

  constructor(family: Family) {
    this.#dispatch = new GrownTree(family, '_');
    this.#guard = new GrownTree(family, '_');
    this.#quarantine = new GrownTree(family, '=');
  }

  /** null where no service uses the family. */
  plan(services: readonly ServicePlan[], markMask: number): FamilyPlan | null {
    if (services.length === 0) return null;
    const quarantined = services.map(({ quarantine }) => quarantine).filter(({ length }) => length > 0);
    return {
      markMask,
      services: services.map(({ source }) => source),
      held: services.some(({ source }) => source.state.heldUntil !== null),
      dispatch: this.#dispatch.of(
        services.map(({ dispatch }) => dispatch),
        united,
      ),
      guard: this.#guard.of(services.map(({ guard }) => guard)),
      quarantine: quarantined.length === 0 ? null : this.#quarantine.of(quarantined),
    };
  }
}

class GrownTree<Leaf> {
  readonly #family: Family;
  readonly #sign: '_' | '=';
  readonly #sorted = new SortedItems<Item<Leaf>>(byBits);
  #items: readonly Item<Leaf>[] = [];
  #tree: Tree<Leaf> | null = null;

  constructor(family: Family, sign: '_' | '=') {
    this.#family = family;
    this.#sign = sign;
  }

  /** `unite`: makes one of several items of the same address. */
  of(
    lists: readonly (readonly Item<Leaf>[])[],
    unite = (all: readonly Item<Leaf>[]): readonly Item<Leaf>[] => all,
  ): Tree<Leaf> {
    const items = this.#sorted.of(lists);
    if (this.#tree !== null && items === this.#items) return this.#tree;
    this.#items = items;
    this.#tree = buildTree(this.#family, unite(items), this.#sign, this.#tree);
    return this.#tree;
  }
}

/** Services that have an address together share its lines, in the order of their ids. */
function united(items: readonly Item<readonly ServicePorts[]>[]): readonly Item<readonly ServicePorts[]>[] {
  if (!items.some((item, index) => item.bits === items[index + 1]?.bits)) return items;
  return [...groupBy(items, ({ bits }) => bits).values()].flatMap(([first, ...others]) => {
    if (first === undefined || others.length === 0) return first ?? [];
    const leaf = [first, ...others].flatMap((item) => item.leaf).sort((a, b) => a.id - b.id);
    return { ...first, leaf };
  });
}

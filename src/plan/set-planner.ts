import { SortedItems } from '../lib/sorted.ts';
import type { Family } from '../model/address.ts';
import type { SetElement, SetState } from '../model/kernel-state.ts';
import { COUNTERS } from './names.ts';
import { byKey, holdSet, setSpec } from './sets.ts';
import type { ServiceElements } from './sets.ts';

type Stem = Exclude<keyof ServiceElements, 'testers'>;

/** Plans the sets of one family, again and again: elements that have not changed since are the same array as before. */
export class SetPlanner {
  readonly #family: Family;
  readonly #sorted: Readonly<Record<Stem, SortedElements>> = {
    vips: new SortedElements(),
    domus: new SortedElements(),
    quarantined: new SortedElements(),
    hairpins: new SortedElements(),
    held: new SortedElements(),
  };

  constructor(family: Family) {
    this.#family = family;
  }

  /** Every set of the family but the choice's banks, in the order in which they are made. */
  plan(services: readonly ServiceElements[]): SetState[] {
    const family = this.#family;
    const elements = (stem: Stem): readonly SetElement[] =>
      this.#sorted[stem].of(services.map((service) => service[stem]));
    const domus = elements('domus');
    const quarantined = elements('quarantined');
    const counters = COUNTERS.map((stem) => setSpec(stem, family, 'hash:ip', { counters: true }));
    return [
      { ...setSpec('vips', family, 'hash:ip'), elements: elements('vips') },
      { ...setSpec('domus', family, 'hash:ip'), elements: domus },
      // Only where a service is quarantined at all does anybody look this set up.
      ...(quarantined.length === 0
        ? []
        : [{ ...setSpec('quarantine', family, 'hash:ip'), elements: quarantined }]),
      ...counters.map((spec) => ({ ...spec, elements: domus })),
      { ...setSpec('hairpin', family, 'hash:net,iface'), elements: elements('hairpins') },
      { ...holdSet(family), elements: elements('held') },
      ...services.flatMap(({ testers }) => testers ?? []),
    ];
  }
}

class SortedElements {
  readonly #sorted = new SortedItems<SetElement>(byKey);
  #all: readonly SetElement[] = [];
  #unique: readonly SetElement[] = [];

  /** Each key once: services may have addresses together. */
  of(lists: readonly (readonly SetElement[])[]): readonly SetElement[] {
    const all = this.#sorted.of(lists);
    if (all !== this.#all) {
      this.#all = all;
      this.#unique = all.filter(({ key }, index) => key !== all[index + 1]?.key);
    }
    return this.#unique;
  }
}

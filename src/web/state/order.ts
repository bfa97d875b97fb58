import { computed } from '@preact/signals';
import type { ServiceView } from '../../api/contract.ts';
import { attentionOf } from './attention.ts';
import type { Attention } from './attention.ts';
import { drifts } from './drift.ts';
import { services } from './store.ts';

export interface Ranked {
  readonly service: ServiceView;
  readonly attention: Attention;
}

const byName = new Intl.Collator('en', { numeric: true });
/** Names are few and sorted often: their order is worked out when one comes or goes. */
let namesSorted: { readonly key: string; readonly place: ReadonlyMap<string, number> } | null = null;

function placesOf(names: readonly string[]): ReadonlyMap<string, number> {
  const key = names.join();
  if (namesSorted?.key !== key) {
    const sortedNames = names.toSorted(byName.compare);
    namesSorted = { key, place: new Map(sortedNames.map((name, place) => [name, place])) };
  }
  return namesSorted.place;
}

/** Trouble first, then by name. */
export const ranked = computed<readonly Ranked[]>(() => {
  const all = services.value ?? new Map<string, ServiceView>();
  const place = placesOf([...all.keys()]);
  return [...all.values()]
    .map((service) => ({ service, attention: attentionOf(service, drifts.value.get(service.name)) }))
    .toSorted(
      (a, b) =>
        a.attention.rank - b.attention.rank ||
        (place.get(a.service.name) ?? 0) - (place.get(b.service.name) ?? 0),
    );
});

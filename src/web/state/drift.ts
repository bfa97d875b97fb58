import { computed } from '@preact/signals';
import { now } from './clock.ts';
import { journal, plan } from './store.ts';

/** Somebody else has changed what the kernel holds of a service. null: it is so now; else when it was put back. */
export type Drift = number | null;

/** So long a repair is worth a look: milliseconds. */
const RECENT = 300_000;

/** As text, so that nothing is drawn anew each second while it stays the same. */
const recent = computed(() =>
  journal.value
    .filter(({ kind, at }) => kind === 'repair' && now.value - Date.parse(at) < RECENT)
    .map(({ id }) => id)
    .join(),
);

/** By service. The director puts back within a second what differs; what it cannot put back is in its plan. */
export const drifts = computed<ReadonlyMap<string, Drift>>(() => {
  const ids = new Set(recent.value.split(','));
  const found = new Map<string, Drift>();
  for (const { id, at, details } of journal.value.toReversed())
    if (ids.has(String(id))) for (const name of namesIn(details)) found.set(name, Date.parse(at));
  for (const name of plan.value?.services ?? []) found.set(name, null);
  return found;
});

const namesIn = ({ services }: Readonly<Record<string, unknown>>): string[] =>
  Array.isArray(services) ? services.filter((name) => typeof name === 'string') : [];

import { computed, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import type { ServiceView } from '../../api/contract.ts';
import { CostSum } from '../parts/costs.tsx';
import { Icon } from '../parts/icon.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { ranked } from '../state/order.ts';
import type { Ranked } from '../state/order.ts';
import { services } from '../state/store.ts';
import { ticked } from '../state/ticked.ts';
import { askToSwitch } from '../state/switching.ts';
import { number, plural } from '../state/words.ts';
import { ServiceRow } from './service-row.tsx';

type Filter = 'all' | 'trouble' | 'trial' | 'held' | 'tested';
const FILTERS: readonly { readonly id: Filter; readonly word: string }[] = [
  { id: 'all', word: 'All' },
  { id: 'trouble', word: 'Trouble' },
  { id: 'trial', word: 'On trial' },
  { id: 'held', word: 'Held' },
  { id: 'tested', word: 'With testers' },
];

const search = signal('');
const filter = signal<Filter>('all');

const PASSES: Readonly<Record<Filter, (ranked: Ranked) => boolean>> = {
  all: () => true,
  trouble: ({ attention: { level } }) => level === 'bad' || level === 'warn',
  trial: ({ service }) => service.phase === 'trial',
  held: ({ service }) => service.held,
  tested: ({ service: { testing, testers } }) => testing === 'open' && testers.length > 0,
};

const shown = computed(() => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  return ranked.value.filter((each) => {
    if (!PASSES[filter.value](each)) return false;
    const text = words.length === 0 ? '' : textOf(each.service);
    return words.every((word) => text.includes(word));
  });
});

const counts = computed(
  () => new Map(FILTERS.map(({ id }) => [id, ranked.value.filter(PASSES[id]).length] as const)),
);

const textOf = ({ name, addresses, ports, primary, secondary, bridge }: ServiceView): string =>
  [
    name,
    ...addresses,
    ...ports,
    primary.domu,
    secondary.domu,
    ...primary.addresses,
    ...secondary.addresses,
    bridge,
  ]
    .join(' ')
    .toLowerCase();

export function Overview(): JSX.Element {
  useEffect(() => {
    document.title = 'Services · Dom0 Director';
  }, []);
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>Services</h1>
        <Summary />
        <CostSum />
      </div>
      <Filters />
      <Rows />
      <Together />
    </>
  );
}

function Summary(): JSX.Element {
  const all = services.value;
  if (all === null) return <p class="summary">Asking the director…</p>;
  const views = [...all.values()];
  const trouble = counts.value.get('trouble') ?? 0;
  const flows = views.reduce((sum, { primary, secondary }) => sum + primary.flows + secondary.flows, 0);
  return (
    <p class="summary">
      {plural(views.length, 'service')},{' '}
      <strong class={trouble > 0 ? 'warn' : 'good'}>
        {trouble === 0 ? 'none in trouble' : `${number(trouble)} in trouble`}
      </strong>
      , {plural(flows, 'flow')}
    </p>
  );
}

function Filters(): JSX.Element {
  return (
    <div class="filters" role="search">
      <div class="search">
        <Icon name="search" />
        <label for="search" class="hidden">
          Search by name, address, port or DomU
        </label>
        <input
          id="search"
          type="search"
          placeholder="Name, address, port, DomU"
          value={search.value}
          onInput={({ currentTarget }) => (search.value = currentTarget.value)}
        />
      </div>
      <div class="chips" role="group" aria-label="Show">
        {FILTERS.map(({ id, word }) => (
          <button
            key={id}
            type="button"
            class="chip"
            aria-pressed={filter.value === id}
            onClick={() => (filter.value = id)}
          >
            {word} <span class="count">{number(counts.value.get(id) ?? 0)}</span>
          </button>
        ))}
      </div>
    </div>
  );
}

function Rows(): JSX.Element {
  if (services.value === null) return <div class="rows-coming" aria-hidden="true" />;
  if (services.value.size === 0)
    return (
      <p class="nothing">
        No service is defined yet. Write one under “services” in the configuration and reload it, or PUT it to
        /v1/services/NAME.
      </p>
    );
  if (shown.value.length === 0)
    return (
      <p class="nothing" role="status">
        No service is like that.{' '}
        <button
          type="button"
          onClick={() => {
            search.value = '';
            filter.value = 'all';
          }}
        >
          Show all
        </button>
      </p>
    );
  return (
    <VirtualList
      items={shown.value}
      label="Services, trouble first"
      keyOf={({ service }) => service.name}
      row={(each) => <ServiceRow {...each} />}
    />
  );
}

/** Several services that are ticked are switched in one message. */
function Together(): JSX.Element {
  const names = [...ticked.value].filter((name) => services.value?.get(name)?.phase === 'settled');
  return (
    <div class={`together ${names.length > 0 ? 'is-open' : ''}`} role="region" aria-label="Ticked services">
      {names.length === 0 ? null : (
        <>
          <p>
            <strong>{plural(names.length, 'service')}</strong> ticked
          </p>
          <button type="button" onClick={() => (ticked.value = new Set())}>
            Untick all
          </button>
          <button
            type="button"
            class="primary"
            onClick={() => askToSwitch(names, () => (ticked.value = new Set()))}
          >
            {names.length === 1 ? 'Switch it…' : 'Switch them together…'}
          </button>
        </>
      )}
    </div>
  );
}

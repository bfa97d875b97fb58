import { computed, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JSX } from 'preact';
import type { ServiceView } from '../../api/contract.ts';
import { Icon } from '../parts/icon.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { attentionOf } from '../state/attention.ts';
import { askToSwitch } from '../state/switching.ts';
import { drifting, services, sorted } from '../state/store.ts';
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
/** What is ticked, to be switched together. */
const ticked = signal<ReadonlySet<string>>(new Set());

const isTrouble = (service: ServiceView): boolean => {
  const { level } = attentionOf(service, drifting.value.has(service.name));
  return level === 'bad' || level === 'warn';
};

const PASSES: Readonly<Record<Filter, (service: ServiceView) => boolean>> = {
  all: () => true,
  trouble: isTrouble,
  trial: ({ phase }) => phase === 'trial',
  held: ({ held }) => held,
  tested: ({ testers, testing }) => testing === 'open' && testers.length > 0,
};

const shown = computed(() => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  return sorted.value.filter(
    (service) => PASSES[filter.value](service) && words.every((word) => textOf(service).includes(word)),
  );
});

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
  const trouble = views.filter(isTrouble).length;
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
  const all = [...(services.value?.values() ?? [])];
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
            {word} <span class="count">{number(all.filter(PASSES[id]).length)}</span>
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
      keyOf={({ name }) => name}
      row={(service) => (
        <ServiceRow
          service={service}
          ticked={ticked.value.has(service.name)}
          tick={() => toggle(service.name)}
        />
      )}
    />
  );
}

function toggle(name: string): void {
  const next = new Set(ticked.value);
  if (!next.delete(name)) next.add(name);
  ticked.value = next;
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

import { useEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { JournalEntry, ServiceView } from '../../api/contract.ts';
import { CostCard } from '../parts/costs.tsx';
import { DomuCards } from '../parts/domu-cards.tsx';
import { FlowChart } from '../parts/flow-chart.tsx';
import { Icon } from '../parts/icon.tsx';
import { JournalList } from '../parts/journal-list.tsx';
import { Link } from '../parts/link.tsx';
import { PacketWay } from '../parts/packet-way.tsx';
import { Rules } from '../parts/rules.tsx';
import { LEVEL_ICON } from '../parts/status.tsx';
import { Testers } from '../parts/testers.tsx';
import { get } from '../state/api.ts';
import { attentionOf } from '../state/attention.ts';
import { drifts } from '../state/drift.ts';
import { complain } from '../state/notices.ts';
import { change, signedIn } from '../state/session.ts';
import { journal, services } from '../state/store.ts';
import { askToSwitch } from '../state/switching.ts';
import { useRates } from '../state/rates.ts';

export function ServicePage({ name }: { name: string }): JSX.Element {
  useEffect(() => {
    document.title = `${name} · Dom0 Director`;
  }, [name]);
  const service = services.value?.get(name);
  if (service !== undefined) return <Service service={service} />;
  return (
    <div class="page-head">
      <h1 tabIndex={-1}>{name}</h1>
      <p class="summary">
        {services.value === null ? 'Asking the director…' : 'There is no service of that name.'}{' '}
        <Link to={{ view: 'overview' }}>All services</Link>
      </p>
    </div>
  );
}

function Service({ service }: { service: ServiceView }): JSX.Element {
  const { name, addresses, ports } = service;
  const rates = useRates(name);
  const { level, word, why } = attentionOf(service, drifts.value.get(name));
  return (
    <>
      <div class="page-head">
        <Link to={{ view: 'overview' }} class="up">
          <Icon name="back" />
          All services
        </Link>
        <div class="title">
          <h1 tabIndex={-1}>{name}</h1>
          <p class={`state ${level}`}>
            <Icon name={LEVEL_ICON[level]} />
            <strong>{word}</strong>
            {why === null ? null : <span>{why}</span>}
          </p>
          <Verbs service={service} />
        </div>
        <p class="summary mono">
          {addresses.join('  ')} · {ports.join(', ')}
        </p>
      </div>
      <section class="card way-card" aria-labelledby="way-title">
        <h2 id="way-title">The packets’ way</h2>
        <PacketWay service={service} rates={rates} />
      </section>
      <div class="columns">
        <section class="card" aria-labelledby="flows-title">
          <h2 id="flows-title">Flows over the last ten minutes</h2>
          <FlowChart service={service} />
        </section>
        <DomuCards service={service} rates={rates} />
      </div>
      <div class="columns">
        <section class="card" aria-labelledby="journal-title">
          <h2 id="journal-title">Journal of {name}</h2>
          <ServiceJournal name={name} />
        </section>
        <div class="stack">
          <Testers service={service} />
          <CostCard name={name} />
        </div>
      </div>
      <Rules name={name} />
    </>
  );
}

function Verbs({ service }: { service: ServiceView }): JSX.Element {
  const { name, phase, held } = service;
  const hold = (): void =>
    signedIn(
      () =>
        void (
          held
            ? change('DELETE', `/v1/services/${name}/hold`)
            : change('POST', `/v1/services/${name}/hold`, { for: '5s' })
        ).catch(complain),
    );
  return (
    <div class="verbs">
      <button type="button" onClick={hold}>
        <Icon name="hold" />
        {held ? 'Let packets go' : 'Hold packets for 5 s'}
      </button>
      {phase === 'trial' ? null : (
        <button type="button" class="primary" onClick={() => askToSwitch([name])}>
          <Icon name="right" />
          Switch to {service.secondary.domu}…
        </button>
      )}
    </div>
  );
}

const SHOWN = 30;

/** What was before this page was opened is asked for; what happens comes by itself. */
function ServiceJournal({ name }: { name: string }): JSX.Element {
  const [before, setBefore] = useState<readonly JournalEntry[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    get<JournalEntry[]>(`/v1/journal?limit=${SHOWN}&service=${name}`, abort.signal).then(
      setBefore,
      () => undefined,
    );
    return () => abort.abort();
  }, [name]);
  const mine = journal.value.filter(({ services: names }) => names.includes(name));
  const all = new Map([...before, ...mine].map((entry) => [entry.id, entry]));
  return <JournalList entries={[...all.values()].toSorted((a, b) => b.id - a.id).slice(0, SHOWN)} />;
}

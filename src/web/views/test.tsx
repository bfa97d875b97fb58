import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { SelfTestingView } from '../../api/contract.ts';
import { Greetings } from '../parts/greetings.tsx';
import { Icon } from '../parts/icon.tsx';
import { When } from '../parts/when.tsx';
import { call, get } from '../state/api.ts';
import { complain } from '../state/notices.ts';
import { journal, link, services } from '../state/store.ts';
import { sentence } from '../state/words.ts';

type Row = SelfTestingView['services'][number];

const testing = signal<SelfTestingView | null>(null);
const wanted = signal('');

const look = async (): Promise<void> =>
  void (testing.value = await get<SelfTestingView>('/v1/whoami/testing'));

/** For QA: which version is one on, and how does one get onto the new one. */
export function TestPage(): JSX.Element {
  useEffect(() => {
    document.title = 'Test the new version · Dom0 Director';
  }, []);
  // Whatever happens to a service may change what its testers see.
  const newest = journal.value[0]?.id ?? 0;
  const isLive = link.value === 'live';
  useEffect(() => {
    if (isLive) void look().catch(() => undefined);
  }, [newest, isLive, services.value]);
  const view = testing.value;
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>{view?.source == null ? 'Test the new version' : `You are ${view.source}`}</h1>
        <p class="summary">
          Each service has two versions side by side. Here you see which one you are on, and can put yourself,
          and nobody else, on the new one.
        </p>
      </div>
      {view === null ? <div class="rows-coming" aria-hidden="true" /> : <Known view={view} />}
    </>
  );
}

function Known({ view }: { view: SelfTestingView }): JSX.Element {
  const words = wanted.value.toLowerCase();
  const rows = view.services.filter(({ service }) => service.includes(words));
  return (
    <>
      <Doubts view={view} />
      {view.services.length > 6 ? (
        <div class="filters">
          <div class="search">
            <Icon name="search" />
            <label for="search" class="hidden">
              Search by name
            </label>
            <input
              id="search"
              type="search"
              placeholder="Which service?"
              value={wanted.value}
              onInput={({ currentTarget }) => (wanted.value = currentTarget.value)}
            />
          </div>
        </div>
      ) : null}
      <ul class="tests">
        {rows.slice(0, MOST).map((row) => (
          <li key={row.service}>
            <Test row={row} view={view} />
          </li>
        ))}
      </ul>
      {rows.length > MOST ? <p class="nothing">There are more: search for the one that you test.</p> : null}
    </>
  );
}

const MOST = 40;

function Doubts({ view }: { view: SelfTestingView }): JSX.Element {
  const { unknownBecause, notAllowed, source } = view;
  const otherFamily = source?.includes(':') === true ? 'IPv4' : 'IPv6';
  return (
    <div class="doubts">
      {unknownBecause !== null ? (
        <p class="warn-box">
          <Icon name="warn" />
          <span>
            <strong>It cannot be known who you are.</strong> {sentence(unknownBecause)}
          </span>
        </p>
      ) : null}
      {unknownBecause === null && notAllowed !== null ? (
        <p class="warn-box">
          <Icon name="lock" />
          <span>{sentence(notAllowed)}</span>
        </p>
      ) : null}
      {source !== null ? (
        <p class="sub">
          This is about connections from {source}. Does your computer also use {otherFamily}? Then open this
          page by that as well: it is another address.
        </p>
      ) : null}
    </div>
  );
}

function Test({ row, view }: { row: Row; view: SelfTestingView }): JSX.Element {
  const where = whereOf(row);
  return (
    <article class={`card test ${where.tone}`} aria-labelledby={`test-${row.service}`}>
      <h2 id={`test-${row.service}`}>{row.service}</h2>
      <p class="verdict" role="status">
        <Icon name={where.icon} />
        <span>
          {where.words}
          {row.enrolment?.expiresAt == null ? null : (
            <>
              {' '}
              until <When time={row.enrolment.expiresAt} />
            </>
          )}
        </span>
      </p>
      <p class="sub mono">
        {row.addresses.join('  ')} · {row.ports.join(', ')}
      </p>
      <Verb row={row} view={view} />
      <Greetings name={row.service} />
    </article>
  );
}

interface Where {
  readonly tone: 'new' | 'old' | 'unknown';
  readonly icon: 'good' | 'right' | 'quiet';
  readonly words: JSX.Element;
}

/** While testing is open the secondary has the new version; after a confirm the primary has it, and nobody tests. */
function whereOf({ directedTo, phase, testing: state, secondary, primary, live }: Row): Where {
  if (directedTo === null)
    return {
      tone: 'unknown',
      icon: 'quiet',
      words: (
        <>
          Everybody is on {live === 'primary' ? primary : secondary}
          {state === 'open' ? `; the new version is on ${secondary}` : ''}.
        </>
      ),
    };
  const { domu, role } = directedTo;
  if (role === 'secondary')
    return {
      tone: 'new',
      icon: 'good',
      words: (
        <>
          You are on the <strong>new version</strong> ({domu})
          {phase === 'trial' ? ', and so is everybody, on trial' : ''}
        </>
      ),
    };
  return {
    tone: 'old',
    icon: 'right',
    words:
      state === 'open' ? (
        <>
          You are on the <strong>old version</strong> ({domu}), as everybody is
        </>
      ) : (
        <>
          You are on the version that <strong>everybody has</strong> ({domu})
        </>
      ),
  };
}

function Verb({ row, view }: { row: Row; view: SelfTestingView }): JSX.Element {
  const { enrolment, testing: state, service, secondary, phase, directedTo } = row;
  if (enrolment !== null && !enrolment.own)
    return (
      <p class="why-not">
        You are one of its testers for good: an administrator has enrolled {enrolment.source}. Nothing is to
        be done.
      </p>
    );
  if (enrolment !== null && state === 'open') return <Stop service={service} />;
  if (state === 'closed')
    return (
      <p class="why-not">
        <Icon name="lock" />
        <span>
          Not open for testing now: what is on {secondary} is not a newer version. An operator opens it when
          the next one is installed there.
        </span>
      </p>
    );
  if (phase === 'trial' && directedTo?.role === 'secondary')
    return (
      <p class="why-not">Nothing is to be done: everybody is on the new version while it is on trial.</p>
    );
  if (view.notAllowed !== null)
    return <p class="why-not">You cannot put yourself on it from here; see above.</p>;
  return <Start service={service} longest={view.longest ?? '8h'} />;
}

const HOURS = ['1h', '2h', '4h', '8h', '24h'];
const minutesOf = (text: string): number => {
  const units: Readonly<Record<string, number>> = { s: 1 / 60, m: 1, h: 60, d: 1440 };
  return Number.parseInt(text, 10) * (units[text.at(-1) ?? ''] ?? 0);
};

function Start({ service, longest }: { service: string; longest: string }): JSX.Element {
  const time = useRef<HTMLSelectElement>(null);
  const { busy, act } = useAct();
  const offered = HOURS.filter((text) => minutesOf(text) < minutesOf(longest));
  const start = (): void =>
    act(() =>
      call<SelfTestingView>('PUT', `/v1/whoami/testing/${service}`, {
        body: { expiresIn: time.current?.value ?? longest },
      }),
    );
  return (
    <div class="test-verb">
      <button type="button" class="primary big" disabled={busy} onClick={start}>
        <Icon name="tester" />
        <span>
          Test the new version<span class="hidden"> of {service}</span>
        </span>
      </button>
      <label>
        <span>for</span>
        <select ref={time}>
          {[...offered, longest].map((text) => (
            <option key={text} value={text} selected={text === '4h'}>
              {text
                .replace(/h$/, text === '1h' ? ' hour' : ' hours')
                .replace(/m$/, ' minutes')
                .replace(/d$/, ' days')}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function Stop({ service }: { service: string }): JSX.Element {
  const { busy, act } = useAct();
  return (
    <div class="test-verb">
      <button
        type="button"
        class="big"
        disabled={busy}
        onClick={() => act(() => call<SelfTestingView>('DELETE', `/v1/whoami/testing/${service}`))}
      >
        <Icon name="back" />
        <span>
          Stop testing<span class="hidden"> {service}</span>
        </span>
      </button>
      <p class="sub">
        New connections take the new version; those that were open before stay where they are.
      </p>
    </div>
  );
}

function useAct(): { busy: boolean; act: (work: () => Promise<SelfTestingView>) => void } {
  const [busy, setBusy] = useState(false);
  return {
    busy,
    act: (work) => {
      setBusy(true);
      void work()
        .then((view) => (testing.value = view), complain)
        .finally(() => setBusy(false));
    },
  };
}

import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { ServiceView, SwitchView } from '../../api/contract.ts';
import { darkDomu, liveDomu } from '../state/attention.ts';
import { now } from '../state/clock.ts';
import { complain } from '../state/notices.ts';
import { change, signedIn } from '../state/session.ts';
import { lookAt } from '../state/follow.ts';
import { services, trials } from '../state/store.ts';
import { clock, countdown, list, micros, number, plural, shortList, who } from '../state/words.ts';
import { Icon } from './icon.tsx';

/** Every trial that runs, on every page: going back is one click away. */
export function Trials(): JSX.Element | null {
  if (trials.value.length === 0) return null;
  return (
    <section class={`trials ${trials.value.length === 1 ? 'single' : ''}`} aria-label="Trials">
      {trials.value.map((trial) => (
        <Trial key={trial.id} trial={trial} />
      ))}
    </section>
  );
}

const servicesOf = ({ services: names }: SwitchView): ServiceView[] =>
  names.flatMap((name) => services.value?.get(name) ?? []);

function Trial({ trial }: { trial: SwitchView }): JSX.Element {
  const views = servicesOf(trial);
  const targets = views.map((view) => liveDomu(view).domu);
  return (
    <article class="trial" aria-labelledby={`trial-${trial.id}`}>
      <Remaining trial={trial} />
      <div class="trial-words">
        <h2 id={`trial-${trial.id}`}>
          <span class="kicker">On trial</span>
          {shortList(trial.services, 5)} <Icon name="right" /> <span class="hidden">on</span>{' '}
          {shortList(targets, 5)}
        </h2>
        <p class="by">
          switched by <strong>{who(trial.by)}</strong>
          {trial.committedAt === null ? '' : ` at ${clock(trial.committedAt)}`}
          {trial.reason === null ? '' : ` — “${trial.reason}”`}
        </p>
        <Facts trial={trial} views={views} />
      </div>
      <Ends trial={trial} />
    </article>
  );
}

function Remaining({ trial }: { trial: SwitchView }): JSX.Element {
  if (trial.confirmBy === null) return <p class="remaining never">until you decide</p>;
  const end = Date.parse(trial.confirmBy);
  const left = end - now.value;
  const whole = end - Date.parse(trial.committedAt ?? trial.confirmBy);
  const part = whole <= 0 ? 0 : Math.min(Math.max(left / whole, 0), 1);
  return (
    <div class={`remaining ${left < 60_000 ? 'soon' : ''}`}>
      <p role="timer" aria-label={`Goes back by itself in ${countdown(left)}`}>
        {countdown(left)}
      </p>
      <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false">
        <rect class="whole" width="100" height="4" />
        <rect class="part" width={100 * part} height="4" />
      </svg>
      <p class="until">goes back by itself at {clock(end)}</p>
    </div>
  );
}

function Facts({ trial, views }: { trial: SwitchView; views: readonly ServiceView[] }): JSX.Element {
  const { flipMicros } = trial.kernel;
  const draining = views.flatMap(({ draining: each }) => each ?? []);
  const left = draining.reduce((sum, { flows }) => sum + flows, 0);
  const [until] = draining.flatMap(({ until: end }) => end ?? []).toSorted();
  const old = shortList(views.map((view) => darkDomu(view).domu));
  return (
    <ul class="facts">
      {flipMicros === null ? null : (
        <li>
          flipped in <strong>{micros(flipMicros)}</strong>
          {trial.kernel.familySkewMicros === 0 ? ', IPv4 and IPv6 in the same message' : ''}
        </li>
      )}
      <li>
        {left === 0 ? (
          `no old connection is left on ${old}`
        ) : (
          <>
            <strong>{plural(left, 'connection')}</strong> {left === 1 ? 'drains' : 'drain'} on {old}
            {until === undefined ? '' : `, cut at ${clock(until)}`}
          </>
        )}
      </li>
      {trial.flows.cut > 0 ? <li>{plural(trial.flows.cut, 'connection')} ended</li> : null}
      {trial.flows.udpFlushed > 0 ? <li>{number(trial.flows.udpFlushed)} UDP moved</li> : null}
    </ul>
  );
}

type End = 'confirm' | 'rollback';

function Ends({ trial }: { trial: SwitchView }): JSX.Element {
  const [busy, setBusy] = useState<End | null>(null);
  const end = (how: End) => (): void =>
    signedIn(() => {
      setBusy(how);
      void endTrial(trial, how).finally(() => setBusy(null));
    });
  const names = list(trial.services);
  return (
    <div class="ends">
      <button
        type="button"
        class="keep big"
        aria-label={`Keep it: ${names}`}
        disabled={busy !== null}
        onClick={end('confirm')}
      >
        <Icon name="good" />
        <span>{busy === 'confirm' ? 'Keeping…' : 'Keep it'}</span>
      </button>
      <button
        type="button"
        class="back big"
        aria-label={`Go back: ${names}`}
        disabled={busy !== null}
        onClick={end('rollback')}
      >
        <Icon name="back" />
        <span>{busy === 'rollback' ? 'Going back…' : 'Go back'}</span>
      </button>
    </div>
  );
}

async function endTrial({ id, services: names }: SwitchView, how: End): Promise<void> {
  try {
    await change('POST', `/v1/switches/${id}/${how}`, {});
  } catch (error) {
    complain(error);
  } finally {
    for (const name of names) lookAt(name);
  }
}

import type { JSX } from 'preact';
import type { DomuView, ServiceView } from '../../api/contract.ts';
import type { Rates } from '../state/rates.ts';
import { allOfReason, bits, number, plural } from '../state/words.ts';
import { Greetings } from './greetings.tsx';
import { Health } from './status.tsx';
import { When } from './when.tsx';

export function DomuCards({ service, rates }: { service: ServiceView; rates: Rates }): JSX.Element {
  return (
    <section class="card domus" aria-labelledby="domus-title">
      <h2 id="domus-title">The two DomUs</h2>
      <div class="domu-pair">
        {(['primary', 'secondary'] as const).map((role) => (
          <Domu
            key={role}
            domu={service[role]}
            role={role}
            live={service.live === role}
            draining={service.live === role ? null : service.draining}
            rates={rates}
          />
        ))}
      </div>
      <Greetings name={service.name} />
    </section>
  );
}

interface Props {
  readonly domu: DomuView;
  readonly role: string;
  readonly live: boolean;
  readonly draining: ServiceView['draining'];
  readonly rates: Rates;
}

function Domu({ domu, role, live, draining, rates }: Props): JSX.Element {
  const rate = rates.get(domu.domu);
  return (
    <div class={`domu-card ${live ? 'is-live' : 'is-dark'}`}>
      <h3>
        {domu.domu}
        <span class="role">{live ? 'live' : 'dark'}</span>
      </h3>
      <dl>
        <dt>Role</dt>
        <dd>{role}</dd>
        <dt>Health</dt>
        <dd>
          <Health health={domu.health} reason={domu.healthReason} />
          {domu.healthReason === null ? null : <span class="sub">{allOfReason(domu.healthReason)}</span>}
        </dd>
        {domu.domain === null ? null : (
          <>
            <dt>Domain</dt>
            <dd>
              <Domain domain={domu.domain} />
            </dd>
          </>
        )}
        <dt>Flows</dt>
        <dd>{number(domu.flows)}</dd>
        {draining === null ? null : (
          <>
            <dt>Draining</dt>
            <dd>
              <strong>{plural(draining.flows, 'connection')}</strong> from before the switch,{' '}
              {draining.until === null ? (
                'until they end'
              ) : (
                <>
                  cut at <When time={draining.until} />
                </>
              )}
            </dd>
          </>
        )}
        <dt>Traffic</dt>
        <dd>
          {rate == null
            ? rate === null
              ? 'no vif is configured'
              : '…'
            : `${bits(rate.inBytes)} in, ${bits(rate.outBytes)} out`}
        </dd>
        <dt>Addresses</dt>
        <dd class="mono">{domu.addresses.join(' ')}</dd>
      </dl>
    </div>
  );
}

const STATES = {
  running: 'running',
  paused: 'paused',
  crashed: 'crashed',
  shutdown: 'shut down',
  absent: 'Xen has none',
  unknown: 'Xen does not answer',
} as const;

/** What Xen calls it, under which number, and how it is. */
function Domain({ domain }: { domain: NonNullable<DomuView['domain']> }): JSX.Element {
  const { name, domid, state, since } = domain;
  return (
    <>
      <span class="mono">{domid === null ? name : `${name} (${domid})`}</span>, {STATES[state]}
      {since === null || state === 'running' ? null : (
        <>
          {' '}
          since <When time={since} />
        </>
      )}
    </>
  );
}

import type { JSX } from 'preact';
import type { DomuView, ServiceView } from '../../api/contract.ts';
import { Icon } from '../parts/icon.tsx';
import { Link } from '../parts/link.tsx';
import { highest, Sparkline } from '../parts/sparkline.tsx';
import { Badge, Health, LEVEL_ICON } from '../parts/status.tsx';
import { drainText } from '../state/attention.ts';
import { now } from '../state/clock.ts';
import { drifts } from '../state/drift.ts';
import type { Ranked } from '../state/order.ts';
import { history } from '../state/store.ts';
import { askToSwitch } from '../state/switching.ts';
import { ticked, toggleTick } from '../state/ticked.ts';
import { countdown, number, plural } from '../state/words.ts';

export function ServiceRow({ service, attention }: Ranked): JSX.Element {
  const { name, addresses, ports, phase } = service;
  return (
    <div class={`row ${attention.level}`}>
      <label class="tick">
        <input
          type="checkbox"
          checked={ticked.value.has(name)}
          disabled={phase === 'trial'}
          onChange={() => toggleTick(name)}
        />
        <span class="hidden">Tick {name}, to switch several together</span>
      </label>
      <div class="cell-name">
        <Link to={{ view: 'service', name }} class="name">
          {name}
        </Link>
        <span class="sub" title={[...addresses, ...ports].join(' ')}>
          {addresses[0]} · {portsShort(ports)}
        </span>
      </div>
      <div class={`cell-state ${attention.level}`}>
        <span class="word">
          <Icon name={LEVEL_ICON[attention.level]} />
          {attention.word}
          {phase === 'trial' ? <Left service={service} /> : null}
        </span>
        <span class="sub" title={attention.why ?? undefined}>
          {attention.why}
        </span>
      </div>
      <Sides service={service} />
      <Badges service={service} said={attention.word} />
      <div class="cell-action">
        {phase === 'trial' ? (
          <Link to={{ view: 'service', name }} class="button">
            Watch<span class="hidden"> {name}</span>
          </Link>
        ) : (
          <button type="button" onClick={() => askToSwitch([name])}>
            Switch…<span class="hidden"> {name}</span>
          </button>
        )}
      </div>
    </div>
  );
}

function Left({ service }: { service: ServiceView }): JSX.Element | null {
  const until = service.switch?.confirmBy ?? null;
  if (until === null) return null;
  return <span class="left">{countdown(Date.parse(until) - now.value)}</span>;
}

function Sides({ service }: { service: ServiceView }): JSX.Element {
  const series = history.value.get(service.name);
  const both = [service.primary, service.secondary].map(({ domu }) => series?.get(domu));
  const most = highest(both);
  return (
    <div class="cell-sides">
      <Side domu={service.primary} live={service.live === 'primary'}>
        <Sparkline series={both[0]} most={most} />
      </Side>
      <Side domu={service.secondary} live={service.live === 'secondary'}>
        <Sparkline series={both[1]} most={most} />
      </Side>
    </div>
  );
}

function Side({
  domu,
  live,
  children,
}: {
  domu: DomuView;
  live: boolean;
  children: JSX.Element;
}): JSX.Element {
  return (
    <div class={`side ${live ? 'is-live' : 'is-dark'}`}>
      <span class="domu">
        <span class="role">{live ? 'live' : 'dark'}</span>
        <span class="domu-name">{domu.domu}</span>
      </span>
      <span class="numbers">
        <Health health={domu.health} reason={domu.healthReason} />
        <span class="flows">
          {number(domu.flows)} <span class="unit">{domu.flows === 1 ? 'flow' : 'flows'}</span>
        </span>
        {children}
      </span>
    </div>
  );
}

/** `said`: the row's own word, which is not said twice. */
function Badges({ service, said }: { service: ServiceView; said: string }): JSX.Element {
  const { testers, testing, held, draining, name } = service;
  return (
    <div class="cell-badges">
      {held && said !== 'Held' ? (
        <Badge icon="hold" level="warn">
          held
        </Badge>
      ) : null}
      {drifts.value.has(name) && said !== 'Drift' ? (
        <Badge icon="drift" level="warn">
          drift
        </Badge>
      ) : null}
      {draining === null ? null : (
        <Badge icon="drain" level="quiet" title={drainText(service) ?? undefined}>
          {`${number(draining.flows)} draining`}
        </Badge>
      )}
      {testing === 'closed' ? (
        <Badge icon="lock" level="quiet">
          testing closed
        </Badge>
      ) : (
        <Badge icon="tester" level="quiet">
          {plural(testers.length, 'tester')}
        </Badge>
      )}
    </div>
  );
}

const portsShort = (ports: readonly string[]): string =>
  ports.length <= 2 ? ports.join(', ') : `${ports.slice(0, 2).join(', ')} +${ports.length - 2}`;

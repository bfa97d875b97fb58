import type { JSX } from 'preact';
import type { DomuView, ServiceView } from '../../api/contract.ts';
import { darkDomu, drainText, liveDomu } from '../state/attention.ts';
import { narrow } from '../state/narrow.ts';
import type { Rate, Rates } from '../state/rates.ts';
import { bits, number, plural } from '../state/words.ts';
import { healthLevel, healthWord } from './status.tsx';
import { lanePath, TALL, WIDE } from './way-layout.ts';
import type { Box, Lane, Point, WayLayout } from './way-layout.ts';

interface Props {
  readonly service: ServiceView;
  readonly rates: Rates;
}

/** Who goes where now, drawn from the real state; what it shows is also said in one sentence. */
export function PacketWay({ service, rates }: Props): JSX.Element {
  const layout = narrow.value ? TALL : WIDE;
  return (
    <svg
      class="way"
      viewBox={`0 0 ${layout.width} ${layout.height}`}
      role="img"
      aria-label={sentenceOf(service)}
    >
      {lanesOf(service).map(({ lane, to }) => (
        <LaneLine key={lane} layout={layout} lane={lane} to={to} rate={rates.get(service[to].domu)} />
      ))}
      <Node box={layout.customers} class="who" title="Customers" lines={['everybody else']} />
      <Node
        box={layout.testers}
        class={`who ${hasTesters(service) ? '' : 'idle'}`}
        title="Testers"
        lines={[testersLine(service)]}
      />
      <Address layout={layout} service={service} />
      <Node box={layout.bridge} class="bridge" title="bridge" lines={[service.bridge]} />
      <Domu box={layout.primary} domu={service.primary} live={service.live === 'primary'} />
      <Domu box={layout.secondary} domu={service.secondary} live={service.live === 'secondary'} />
      <Labels layout={layout} service={service} rates={rates} />
    </svg>
  );
}

interface Drawn {
  readonly lane: Lane;
  readonly to: 'primary' | 'secondary';
}

const hasTesters = ({ testing, testers }: ServiceView): boolean => testing === 'open' && testers.length > 0;

function lanesOf(service: ServiceView): Drawn[] {
  const dark = service.live === 'primary' ? 'secondary' : 'primary';
  const draining: Drawn[] = service.draining === null ? [] : [{ lane: 'draining', to: dark }];
  const testers: Drawn[] = hasTesters(service) ? [{ lane: 'testers', to: 'secondary' }] : [];
  return [...draining, ...testers, { lane: 'customers', to: service.live }];
}

function sentenceOf(service: ServiceView): string {
  const [live, dark] = [liveDomu(service), darkDomu(service)];
  const drains = drainText(service);
  const customers = `Customers reach ${live.domu}, which is ${healthWord(live.health)}, with ${plural(live.flows, 'flow')}.${drains === null ? '' : ` ${drains}.`}`;
  if (service.held) return `Packets of ${service.name} wait. ${customers}`;
  if (service.phase === 'trial') return `${customers} It is on trial.`;
  return hasTesters(service)
    ? `${customers} ${plural(service.testers.length, 'tester')} reach ${dark.domu}, which is ${healthWord(dark.health)}.`
    : `${customers} ${dark.domu} is dark; nobody tests it.`;
}

function testersLine(service: ServiceView): string {
  if (service.testing === 'closed') return 'testing is closed';
  return service.testers.length === 0 ? 'nobody yet' : plural(service.testers.length, 'source');
}

function LaneLine({
  layout,
  lane,
  to,
  rate,
}: Drawn & { layout: WayLayout; rate: Rate | null | undefined }): JSX.Element {
  const { d } = lanePath(layout, lane, to);
  return (
    <g class={`lane ${lane} speed-${speedOf(rate)}`}>
      <path class="bed" d={d} />
      <path class="run" d={d} />
    </g>
  );
}

/** 0 (nothing moves) to 5: by each factor of ten in packets a second. */
function speedOf(rate: Rate | null | undefined): number {
  if (rate == null || rate.packets < 0.5) return 0;
  return Math.min(1 + Math.floor(Math.log10(Math.max(rate.packets, 1))), 5);
}

function Labels({ layout, service, rates }: Props & { layout: WayLayout }): JSX.Element {
  const drawn = lanesOf(service);
  const byDomu = new Map(drawn.map(({ lane, to }) => [to, lane] as const));
  return (
    <>
      {[...byDomu].map(([to, lane]) => (
        <Label
          key={to}
          at={lanePath(layout, lane, to).last}
          lines={rateLines(rates.get(service[to].domu), layout.across)}
        />
      ))}
      {drawn
        .filter(({ lane }) => lane !== 'testers' || service.phase !== 'trial')
        .map(({ lane, to }) => (
          <Label
            key={lane}
            at={shifted(lanePath(layout, lane, to).first, lane, layout)}
            lines={[countOf(service, lane, to)]}
          />
        ))}
    </>
  );
}

/** Testers' own flows are those on the dark DomU that do not drain there. */
function countOf({ draining, ...service }: ServiceView, lane: Lane, to: Drawn['to']): string {
  const drained = draining?.flows ?? 0;
  if (lane === 'draining') return `${number(drained)} draining`;
  return plural(to === service.live ? service[to].flows : Math.max(service[to].flows - drained, 0), 'flow');
}

/** Two lanes that leave the same box would have their words upon each other. */
const shifted = ({ x, y }: Point, lane: Lane, { across }: WayLayout): Point =>
  lane === 'draining' ? { x: across ? x - 8 : x + 60, y: y + (across ? 30 : 22) } : { x, y };

/** Beside each other where there is room for it. */
function rateLines(rate: Rate | null | undefined, across: boolean): string[] {
  if (rate == null) return [rate === null ? 'no vif known' : '…'];
  const lines = [`↓ ${bits(rate.inBytes)}`, `↑ ${bits(rate.outBytes)}`];
  return across ? [lines.join('  ')] : lines;
}

const LINE = 16;

function Label({ at, lines }: { at: Point; lines: readonly string[] }): JSX.Element {
  const width = Math.max(...lines.map(({ length }) => length)) * 7 + 18;
  const height = LINE * lines.length + 8;
  return (
    <g class="label">
      <rect x={at.x - width / 2} y={at.y - height / 2} width={width} height={height} rx="12" />
      {lines.map((line, i) => (
        <text key={line} x={at.x} y={at.y - height / 2 + LINE * (i + 1)}>
          {line}
        </text>
      ))}
    </g>
  );
}

interface NodeProps {
  readonly box: Box;
  readonly class: string;
  readonly title: string;
  readonly lines: readonly string[];
}

function Node({ box, class: className, title, lines }: NodeProps): JSX.Element {
  const middle = box.x + box.w / 2;
  const top = box.y + box.h / 2 - (lines.length * 18) / 2 + 5;
  return (
    <g class={`node ${className}`}>
      <rect x={box.x} y={box.y} width={box.w} height={box.h} rx="10" />
      <text class="title" x={middle} y={top}>
        {title}
      </text>
      {lines.map((line, i) => (
        <text key={line} x={middle} y={top + 19 * (i + 1)}>
          {line}
        </text>
      ))}
    </g>
  );
}

const MOST_PORTS = 3;

function Address({ layout, service }: { layout: WayLayout; service: ServiceView }): JSX.Element {
  const { addresses, ports, held } = service;
  const more = ports.length - MOST_PORTS;
  const lines = [
    ...addresses.slice(0, 2),
    `${ports.slice(0, MOST_PORTS).join(', ')}${more > 0 ? ` +${more}` : ''}`,
  ];
  return (
    <Node
      box={layout.address}
      class={`address ${held ? 'held' : ''}`}
      title={held ? '❚❚ packets wait' : 'service address'}
      lines={lines}
    />
  );
}

const SIGN: Readonly<Record<DomuView['health'], string>> = {
  healthy: '✓',
  degraded: '!',
  unhealthy: '✕',
  unknown: '?',
};

function Domu({ box, domu, live }: { box: Box; domu: DomuView; live: boolean }): JSX.Element {
  const left = box.x + 16;
  const { domu: name, health, addresses, flows } = domu;
  return (
    <g class={`node domu ${live ? 'is-live' : 'is-dark'} ${healthLevel(health)}`}>
      <rect x={box.x} y={box.y} width={box.w} height={box.h} rx="10" />
      <text class="title start" x={left} y={box.y + 28}>
        {name}
      </text>
      <text class="role end" x={box.x + box.w - 14} y={box.y + 27}>
        {live ? '● LIVE' : '○ DARK'}
      </text>
      <text class="start" x={left} y={box.y + 52}>
        {addresses[0] ?? ''}
      </text>
      <text class={`start health ${healthLevel(health)}`} x={left} y={box.y + 78}>
        {SIGN[health]} {healthWord(health)}
      </text>
      <text class="start" x={left} y={box.y + 103}>
        {plural(flows, 'flow')}
      </text>
    </g>
  );
}

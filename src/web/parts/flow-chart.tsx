import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { JournalEntry, ServiceView } from '../../api/contract.ts';
import { now } from '../state/clock.ts';
import { history, journal } from '../state/store.ts';
import type { Series } from '../state/store.ts';
import { clock, number, plural } from '../state/words.ts';

const HEIGHT = 220;
const EDGE = { left: 44, right: 12, top: 14, bottom: 26 };
const SPAN_MS = 600_000;
const MARKS: Readonly<Record<string, string>> = {
  switch: 'switched',
  rollback: 'went back',
  expire: 'went back by itself',
  confirm: 'kept',
};

interface Scale {
  readonly end: number;
  readonly most: number;
  readonly x: (time: number) => number;
  readonly y: (value: number) => number;
  readonly width: number;
}

/** Both DomUs' flows, to one scale: a switch is where the lines cross, draining is the one that falls. */
export function FlowChart({ service }: { service: ServiceView }): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  const width = useWidth(element);
  const [pointed, setPointed] = useState<number | null>(null);
  const domus = history.value.get(service.name);
  const [primary, secondary] = [domus?.get(service.primary.domu), domus?.get(service.secondary.domu)];
  const scale = scaleOf([primary, secondary], width);
  return (
    <div
      class="chart"
      ref={element}
      onPointerMove={({ clientX, currentTarget }) =>
        setPointed(timeAt(scale, clientX - currentTarget.getBoundingClientRect().left))
      }
      onPointerLeave={() => setPointed(null)}
    >
      <Legend service={service} series={[primary, secondary]} at={pointed} />
      <svg width={width} height={HEIGHT} role="img" aria-label={inWords(service)}>
        <Axes scale={scale} />
        <Marks
          scale={scale}
          entries={journal.value.filter(({ services }) => services.includes(service.name))}
        />
        <path class="line primary" d={lineOf(primary, scale)} />
        <path class="line secondary" d={lineOf(secondary, scale)} />
        {pointed === null ? null : (
          <path class="pointer" d={`M${scale.x(pointed)} ${EDGE.top}V${HEIGHT - EDGE.bottom}`} />
        )}
      </svg>
    </div>
  );
}

function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(560);
  useLayoutEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(entry?.contentRect.width ?? 0, 240)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return width;
}

function scaleOf(all: readonly (Series | undefined)[], width: number): Scale {
  const end = now.value;
  const values = all.flatMap((series) => series?.flows ?? []).filter((value) => value !== null);
  const most = roundUp(Math.max(...values, 4));
  const inner = width - EDGE.left - EDGE.right;
  return {
    end,
    most,
    width,
    x: (time) => EDGE.left + inner * (1 - (end - time) / SPAN_MS),
    y: (value) => HEIGHT - EDGE.bottom - (HEIGHT - EDGE.top - EDGE.bottom) * (value / most),
  };
}

/** To 1, 2, 4 or 8 times a power of ten: halves of it are whole numbers, too. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 8, 10].find((step) => step * power >= value) ?? 10) * power;
}

function lineOf(series: Series | undefined, { x, y, end }: Scale): string {
  if (series === undefined) return '';
  const points: string[] = [];
  for (const [i, time] of series.at.entries()) {
    const value = series.flows[i];
    if (value == null || time < end - SPAN_MS) continue;
    points.push(`${x(time).toFixed(1)} ${y(value).toFixed(1)}`);
  }
  const last = series.flows.at(-1);
  // The last count stands until now.
  if (points.length > 0 && last != null) points.push(`${x(end).toFixed(1)} ${y(last).toFixed(1)}`);
  return points.length < 2 ? '' : `M${points.join('L')}`;
}

function Axes({ scale: { most, x, y, end, width } }: { scale: Scale }): JSX.Element {
  const minutes = [10, 8, 6, 4, 2, 0];
  return (
    <g class="axes">
      {[0, most / 2, most].map((value) => (
        <g key={value}>
          <path d={`M${EDGE.left} ${y(value)}H${width - EDGE.right}`} />
          <text class="end" x={EDGE.left - 8} y={y(value) + 4}>
            {number(value)}
          </text>
        </g>
      ))}
      {minutes.map((minute) => (
        <text
          key={minute}
          class={minute === 0 ? 'end' : 'middle'}
          x={x(end - minute * 60_000)}
          y={HEIGHT - 6}
        >
          {minute === 0 ? 'now' : `−${minute} min`}
        </text>
      ))}
    </g>
  );
}

function Marks({
  scale: { x, end },
  entries,
}: {
  scale: Scale;
  entries: readonly JournalEntry[];
}): JSX.Element {
  const marks = entries.flatMap(({ id, at, kind }) => {
    const [word, time] = [MARKS[kind], Date.parse(at)];
    return word === undefined || time < end - SPAN_MS || time > end ? [] : [{ id, word, at: x(time) }];
  });
  const rows = rowsOf(marks.map(({ at }) => at));
  return (
    <g class="marks">
      {marks.map(({ id, word, at }, i) => (
        <g key={id}>
          <path d={`M${at} ${EDGE.top}V${HEIGHT - EDGE.bottom}`} />
          <text
            class={at > 140 ? 'end' : 'start'}
            x={at > 140 ? at - 5 : at + 5}
            y={EDGE.top + 8 + MARK_LINE * (rows[i] ?? 0)}
          >
            {word}
          </text>
        </g>
      ))}
    </g>
  );
}

/** Words of marks that are closer than this would stand upon each other; pixels. */
const MARK_WIDTH = 76;
const MARK_LINE = 14;
const MARK_ROWS = 5;

/** Each one a line below the one that is in its way. */
function rowsOf(places: readonly number[]): readonly number[] {
  const rows: number[] = [];
  for (const [i, at] of places.entries()) {
    const taken = rows.filter((_, j) => Math.abs((places[j] ?? 0) - at) < MARK_WIDTH);
    const free = Array.from({ length: MARK_ROWS }, (_, row) => row).find((row) => !taken.includes(row));
    rows[i] = free ?? 0;
  }
  return rows;
}

interface LegendProps {
  readonly service: ServiceView;
  readonly series: readonly [Series | undefined, Series | undefined];
  readonly at: number | null;
}

function Legend({ service, series, at }: LegendProps): JSX.Element {
  const domus = [service.primary, service.secondary] as const;
  return (
    <p class="legend">
      {domus.map(({ domu, flows }, i) => (
        <span key={domu} class={i === 0 ? 'primary' : 'secondary'}>
          <svg viewBox="0 0 28 6" aria-hidden="true" focusable="false">
            <path d="M0 3H28" />
          </svg>
          {domu}: <strong>{number(at === null ? flows : (valueAt(series[i], at) ?? flows))}</strong>
        </span>
      ))}
      <span class="sub">{at === null ? 'now' : clock(at)}</span>
    </p>
  );
}

function timeAt({ end, width }: Scale, x: number): number | null {
  const part = (x - EDGE.left) / (width - EDGE.left - EDGE.right);
  return part < 0 || part > 1 ? null : end - SPAN_MS * (1 - part);
}

function valueAt(series: Series | undefined, time: number): number | null {
  const index = series?.at.findLastIndex((each) => each <= time) ?? -1;
  return series?.flows[index] ?? null;
}

const inWords = ({ primary, secondary }: ServiceView): string =>
  `Flows over the last ten minutes; now ${plural(primary.flows, 'flow')} on ${primary.domu} and ${plural(secondary.flows, 'flow')} on ${secondary.domu}`;

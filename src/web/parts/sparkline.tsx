import type { JSX } from 'preact';
import type { Series } from '../state/store.ts';

const WIDTH = 72;
const HEIGHT = 22;
const SPAN_MS = 300_000;

/** Flows over the last five minutes; the number beside it says what matters, so it is hidden from screen readers. */
export function Sparkline({ series, most }: { series: Series | undefined; most: number }): JSX.Element {
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" focusable="false">
      <path class="ground" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
      {series === undefined ? null : <path d={pathOf(series, most)} />}
    </svg>
  );
}

function pathOf({ at, flows }: Series, most: number): string {
  const end = at.at(-1) ?? 0;
  const points: string[] = [];
  for (const [i, time] of at.entries()) {
    const value = flows[i];
    if (value == null || time < end - SPAN_MS) continue;
    const x = WIDTH * (1 - (end - time) / SPAN_MS);
    const y = HEIGHT - 1.5 - (HEIGHT - 4) * (most === 0 ? 0 : value / most);
    points.push(`${x.toFixed(1)} ${y.toFixed(1)}`);
  }
  return points.length < 2 ? '' : `M${points.join('L')}`;
}

/** The highest of the last minutes, so that both DomUs are drawn to one scale. */
export function highest(all: readonly (Series | undefined)[]): number {
  let most = 1;
  for (const series of all) for (const value of series?.flows ?? []) most = Math.max(most, value ?? 0);
  return most;
}

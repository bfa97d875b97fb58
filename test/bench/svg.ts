/** A panel with its lines, drawn as Grafana would show it; small enough to be committed. */
export interface Line {
  readonly name: string;
  /** Seconds since the start, and the value. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Picture {
  readonly title: string;
  readonly unit: 'short' | 's' | 'percentunit' | 'cps' | 'pps' | 'bytes' | 'Bps';
  readonly lines: readonly Line[];
  /** Drawn as a line down, with its name. */
  readonly marks: readonly { readonly at: number; readonly name: string; readonly color: string }[];
  readonly seconds: number;
  readonly stack: boolean;
}

const WIDTH = 760;
const HEIGHT = 266;
const PLOT = { left: 62, right: 12, top: 64, bottom: 48 };
const COLORS = ['#73bf69', '#5794f2', '#f2cc0c', '#ff780a', '#b877d9', '#ff7383'];
const FONT = 'font-family="Helvetica, Arial, sans-serif"';

export function draw(picture: Picture): string {
  const lines = picture.stack ? stacked(picture.lines) : picture.lines;
  const top = niceTop(Math.max(0, ...lines.flatMap(({ points }) => points.map(([, value]) => value))));
  const x = (seconds: number): number =>
    round(PLOT.left + (seconds / picture.seconds) * (WIDTH - PLOT.left - PLOT.right));
  const y = (value: number): number =>
    round(HEIGHT - PLOT.bottom - (value / top) * (HEIGHT - PLOT.top - PLOT.bottom));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" ${FONT} font-size="11">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="4" fill="#181b1f"/>`,
    `<text x="12" y="20" fill="#d8d9da" font-size="13" font-weight="bold">${escape(picture.title)}</text>`,
    ...grid(picture, top, x, y),
    ...lines.map((line, n) => drawLine(line, n, picture.stack, x, y)).toReversed(),
    ...marks(picture, x),
    ...legend(picture.lines),
    '</svg>',
    '',
  ].join('\n');
}

type Scale = (value: number) => number;

function grid({ seconds, unit }: Picture, top: number, x: Scale, y: Scale): string[] {
  const steps = [0, 0.25, 0.5, 0.75, 1].map((part) => part * top);
  const times = Array.from({ length: Math.floor(seconds / 5) + 1 }, (_, n) => n * 5);
  return [
    ...steps.map(
      (value) =>
        `<path d="M${x(0)} ${y(value)}H${x(seconds)}" stroke="#2c3235"/><text x="${PLOT.left - 6}" y="${y(value) + 4}" fill="#9fa7b3" text-anchor="end">${label(value, unit)}</text>`,
    ),
    ...times.map(
      (at) =>
        `<text x="${x(at)}" y="${HEIGHT - PLOT.bottom + 16}" fill="#9fa7b3" text-anchor="middle">${at} s</text>`,
    ),
  ];
}

function drawLine({ points }: Line, n: number, stack: boolean, x: Scale, y: Scale): string {
  const color = COLORS[n % COLORS.length] ?? '';
  const path = points.map(([at, value], i) => `${i === 0 ? 'M' : 'L'}${x(at)} ${y(value)}`).join('');
  const first = points[0]?.[0] ?? 0;
  const last = points.at(-1)?.[0] ?? 0;
  const fill = `<path d="${path}L${x(last)} ${y(0)}L${x(first)} ${y(0)}Z" fill="${color}" fill-opacity="${stack ? 1 : 0.08}"/>`;
  return `${stack ? `<g opacity="0.55">${fill}</g>` : fill}<path d="${path}" fill="none" stroke="${color}" stroke-width="1.5"/>`;
}

/** Names that would meet get rows of their own. */
function marks({ marks: all }: Picture, x: Scale): string[] {
  const edges = [-Infinity, -Infinity, -Infinity];
  return all
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, name, color }) => {
      const left = x(at);
      const row = Math.max(
        edges.findIndex((edge) => edge < left),
        0,
      );
      edges[row] = left + name.length * 6 + 8;
      const [anchor, gap] = left > WIDTH - 90 ? ['end', -3] : ['start', 3];
      const y = PLOT.top - 5 - (edges.length - 1 - row) * 11;
      return `<path d="M${left} ${y - 8}V${HEIGHT - PLOT.bottom}" stroke="${color}" stroke-dasharray="3 3"/><text x="${left + gap}" y="${y}" fill="${color}" text-anchor="${anchor}">${escape(name)}</text>`;
    });
}

function legend(lines: readonly Line[]): string[] {
  let left = PLOT.left;
  return lines.map(({ name }, n) => {
    const at = left;
    left += name.length * 6.2 + 34;
    const color = COLORS[n % COLORS.length] ?? '';
    return `<rect x="${round(at)}" y="${HEIGHT - 18}" width="14" height="4" fill="${color}"/><text x="${round(at) + 19}" y="${HEIGHT - 12}" fill="#d8d9da">${escape(name)}</text>`;
  });
}

/** Each line stands on those before it. */
function stacked(lines: readonly Line[]): Line[] {
  const below = new Map<number, number>();
  return lines.map(({ name, points }) => ({
    name,
    points: points.map(([at, value]): [number, number] => {
      const sum = (below.get(at) ?? 0) + value;
      below.set(at, sum);
      return [at, sum];
    }),
  }));
}

/** 1, 2 or 5 times a power of ten, not below `value`. */
function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 4, 5, 10].find((step) => step * power >= value) ?? 10);
}

function label(value: number, unit: Picture['unit']): string {
  if (unit === 'percentunit') return `${round(value * 100)} %`;
  if (unit === 's')
    return value < 1e-3
      ? `${round(value * 1e6)} µs`
      : value < 1
        ? `${round(value * 1e3)} ms`
        : `${round(value)} s`;
  const suffix =
    unit === 'cps' || unit === 'pps' ? '/s' : unit === 'Bps' ? ' B/s' : unit === 'bytes' ? ' B' : '';
  if (value >= 1e6) return `${round(value / 1e6)} M${suffix.trim()}`;
  return value >= 1e4 ? `${round(value / 1e3)} k${suffix.trim()}` : `${round(value)}${suffix}`;
}

const round = (value: number): number => Math.round(value * 100) / 100;
const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

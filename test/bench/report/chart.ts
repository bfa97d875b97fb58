/** A line or a row of dots; x and y are above zero. */
export interface Curve {
  readonly name: string;
  readonly points: readonly {
    readonly x: number;
    readonly y: number;
    readonly low: number;
    readonly high: number;
  }[];
}

export interface Chart {
  readonly title: string;
  readonly xName: string;
  readonly yName: string;
  readonly curves: readonly Curve[];
  /** A linear y axis begins at zero. */
  readonly linear?: boolean;
}

const WIDTH = 760;
const HEIGHT = 340;
const PLOT = { left: 70, right: 200, top: 44, bottom: 48 };
const COLORS = [
  '#73bf69',
  '#5794f2',
  '#f2cc0c',
  '#ff780a',
  '#b877d9',
  '#ff7383',
  '#33b5a5',
  '#d8d9da',
  '#c08552',
  '#8f9bb3',
];

/** As SVG; x by its logarithm, y too unless it is linear. Bars show between what half of all values lie. */
export function drawChart({ title, xName, yName, curves, linear = false }: Chart): string {
  const points = curves.flatMap((curve) => curve.points);
  const xs = [...new Set(points.map(({ x }) => x))].toSorted((a, b) => a - b);
  const [left, right] = [Math.log10(xs[0] ?? 1), Math.log10(xs.at(-1) ?? 10)];
  const x = (value: number): number =>
    round(PLOT.left + ((Math.log10(value) - left) / (right - left || 1)) * (WIDTH - PLOT.left - PLOT.right));
  const ticks = linear ? linearTicks(points.map(({ high }) => high)) : logTicks(points);
  const scale = linear ? (value: number) => value : Math.log10;
  const [bottom, top] = [scale(ticks[0] ?? 1), scale(ticks.at(-1) ?? 10)];
  const y = (value: number): number =>
    round(
      HEIGHT - PLOT.bottom - ((scale(value) - bottom) / (top - bottom)) * (HEIGHT - PLOT.top - PLOT.bottom),
    );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="Helvetica, Arial, sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="4" fill="#181b1f"/>`,
    text(12, 20, title, '#d8d9da', 'start', 'font-size="13" font-weight="bold"'),
    text(12, 36, yName, '#9fa7b3'),
    ...ticks.flatMap((tick) => [
      `<path d="M${PLOT.left} ${y(tick)}H${WIDTH - PLOT.right}" stroke="#2c3235"/>`,
      text(PLOT.left - 6, y(tick) + 4, tick.toLocaleString('en'), '#9fa7b3', 'end'),
    ]),
    ...xs.map((value) =>
      text(x(value), HEIGHT - PLOT.bottom + 16, value.toLocaleString('en'), '#9fa7b3', 'middle'),
    ),
    text((PLOT.left + WIDTH - PLOT.right) / 2, HEIGHT - 12, xName, '#9fa7b3', 'middle'),
    ...curves.map((curve, n) => drawCurve(curve, n, x, y)),
    ...curves.map(({ name }, n) => legendLine(name, n)),
    '</svg>',
    '',
  ].join('\n');
}

type Scale = (value: number) => number;

function drawCurve({ points }: Curve, n: number, x: Scale, y: Scale): string {
  const color = COLORS[n % COLORS.length] ?? '';
  const path = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${x(point.x)} ${y(point.y)}`).join('');
  const dots = points.map(
    (point) =>
      `<path d="M${x(point.x)} ${y(point.low)}V${y(point.high)}" stroke="${color}" stroke-width="1"/><circle cx="${x(point.x)}" cy="${y(point.y)}" r="3" fill="${color}"/>`,
  );
  return `<path d="${path}" fill="none" stroke="${color}" stroke-width="${n === 0 ? 2.5 : 1.5}"/>${dots.join('')}`;
}

function legendLine(name: string, n: number): string {
  const [at, top] = [WIDTH - PLOT.right + 16, PLOT.top + 8 + n * 18];
  const color = COLORS[n % COLORS.length] ?? '';
  return `<rect x="${at}" y="${top - 4}" width="14" height="4" fill="${color}"/>${text(at + 20, top + 2, name, '#d8d9da')}`;
}

/** Powers of ten around all values. */
function logTicks(points: readonly { readonly low: number; readonly high: number }[]): number[] {
  const from = Math.floor(Math.log10(Math.min(...points.map(({ low }) => low))));
  const to = Math.ceil(Math.log10(Math.max(...points.map(({ high }) => high))));
  return Array.from({ length: Math.max(to - from, 1) + 1 }, (_, n) => Number(`1e${from + n}`));
}

function linearTicks(highs: readonly number[]): number[] {
  const most = Math.max(...highs);
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [0.2, 0.5, 1, 2].map((part) => part * power).find((each) => most / each <= 6) ?? power;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, n) => n * step);
}

function text(x: number, y: number, what: string, fill: string, anchor = 'start', more = ''): string {
  return `<text x="${x}" y="${y}" fill="${fill}" text-anchor="${anchor}" ${more}>${what.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

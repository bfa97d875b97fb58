import { digits, table } from '../figures.ts';
import { peersOf, costOf, DIRECTOR, figure, flipsOf, sizesOf, worksOf } from './look-up.ts';
import type { DaemonFigures } from '../daemon-figures.ts';
import type { Results } from '../results.ts';

const ON_PAPER = 100_000;

/** A switch of one, idle, by what is in conntrack: answer, milliseconds. */
export function crowdTable(results: Results): string {
  const flows = [...new Set(results.switches.map((one) => one.flows ?? 0))].toSorted((a, b) => a - b);
  const crowded = peersOf(results.switches.filter((one) => one.flows !== undefined));
  const rows = crowded.map((peer) => [
    peer,
    ...flows.map((each) => {
      const which = { services: 1, moved: 1, clients: 0, flows: each };
      return digits(figure(flipsOf(results, peer, which), 'answer') / 1e6);
    }),
  ]);
  const head = [
    'answer, ms',
    ...flows.map((each) => (each === 0 ? 'no flows' : `${digits(each)} flows in conntrack`)),
  ];
  return table(head, rows);
}

/** What falls with the number of services does so by chance. */
function more(slope: number, onPaper: number): string[] {
  if (Number.isNaN(slope)) return ['—', '—'];
  return slope > 0 ? [digits(slope * 1000), digits(onPaper)] : ['none seen', '—'];
}

interface Row {
  readonly what: string;
  /** By number of services; NaN where nobody measured. */
  readonly values: ReadonlyMap<number, number>;
}

/** How each cost grows with the number of services, and what a straight line through all of it makes of 100,000. */
export function growthTable(results: Results): string {
  const sizes = sizesOf(results);
  const rows = rowsOf(results, sizes).map(({ what, values }) => {
    const line = straightLine([...values].filter(([, value]) => Number.isFinite(value)));
    return [
      what,
      ...sizes.map((size) => digits(values.get(size) ?? NaN)),
      ...more(line.slope, line.at(ON_PAPER)),
    ];
  });
  const head = ['', ...sizes.map(digits), 'each 1,000 more', `${digits(ON_PAPER)}, on paper`];
  return table(head, rows);
}

function rowsOf(results: Results, sizes: readonly number[]): Row[] {
  const over = (what: string, value: (services: number) => number): Row => ({
    what,
    values: new Map(sizes.map((services) => [services, value(services)])),
  });
  const switched = (clients: number, what: 'answer' | 'first' | 'flip', unit: number) => (services: number) =>
    figure(flipsOf(results, DIRECTOR, { services, moved: 1, clients }), what) / unit;
  const cost = (peer: string, at: 'first' | 'last') => (services: number) =>
    costOf(worksOf(results, peer, { services, kind: 'connections', at: services === 1 ? 'first' : at }));
  const daemon = (what: (one: DaemonFigures) => number) => (services: number) => {
    const found = results.daemon.find((one) => one.services === services);
    return found === undefined ? NaN : what(found);
  };
  return [
    over('switch of one, answer, ms', switched(0, 'answer', 1e6)),
    over("the kernel's part of it, µs", switched(0, 'flip', 1e3)),
    over('first connection on the new DomU, 4 clients, ms', switched(4, 'first', 1e6)),
    over('CPU of the machine for a new connection, µs: first of the list', cost(DIRECTOR, 'first')),
    over('last of the list', cost(DIRECTOR, 'last')),
    ...peersOf(results.paths)
      .filter((peer) => peer !== DIRECTOR)
      .map((peer) => over(`for comparison, the last: ${peer}`, cost(peer, 'last'))),
    over(
      'first start, until ready, s',
      daemon(({ firstStart }) => firstStart / 1000),
    ),
    over(
      'restart, unchanged, s',
      daemon(({ restart }) => restart / 1000),
    ),
    over(
      'one service changed over the API, ms',
      daemon(({ change }) => change),
    ),
    over(
      'memory of the daemon, MB',
      daemon(({ resident }) => resident / 1e6),
    ),
    over(
      'a scrape, ms',
      daemon(({ scrape }) => scrape),
    ),
    over(
      'chains, IPv4',
      daemon(({ held }) => held.chains),
    ),
    over(
      'rules, IPv4',
      daemon(({ held }) => held.rules),
    ),
    over(
      'sets',
      daemon(({ held }) => held.sets),
    ),
    over(
      'elements of sets',
      daemon(({ held }) => held.elements),
    ),
  ];
}

/** Of least squares. */
function straightLine(points: readonly (readonly [number, number])[]): {
  slope: number;
  at: (x: number) => number;
} {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [x0, y0] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const sum = (of: (x: number, y: number) => number): number =>
    points.reduce((all, [x, y]) => all + of(x, y), 0);
  const slope = sum((x, y) => (x - x0) * (y - y0)) / sum((x) => (x - x0) ** 2);
  return { slope, at: (x) => y0 + slope * (x - x0) };
}

import { digits, quantile, spread, table } from '../figures.ts';
import type { Flip } from '../flips.ts';
import type { PathResult } from '../paths.ts';
import type { Results } from '../results.ts';
import type { Case, CaseResult } from '../switches.ts';
import { median } from '../figures.ts';
import { costOf, peersOf, rate, sizesOf, worksOf } from './look-up.ts';

const MS = 1e-6;
const US = 1e-3;

export function machineLine({ machine }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${machine.date}, Linux ${machine.kernel}, ${machine.cpus} CPUs (${machine.cpu}), ${versions.join(', ')}`,
    `4 KiB are on the disk after ${digits(machine.syncMicros)} µs`,
    ...(machine.quick ? ['a quick run, with few rounds'] : []),
  ].join('; ');
}

/** Every case with every peer: all that was measured of switches. */
export function switchTables(results: Results): string {
  const cases = [...new Map(results.switches.map((one) => [title(one), one])).values()];
  return cases.map((which) => `${title(which)}\n\n${switchTable(results, which)}`).join('\n\n');
}

const title = ({ services, moved, clients, locked = false, flows = 0 }: Case): string =>
  [
    `${digits(moved)} of ${digits(services)} services moved`,
    clients === 0
      ? 'nobody connects'
      : `${clients} ${clients === 1 ? 'client connects' : 'clients connect'} back to back`,
    ...(locked ? ["another program holds iptables' lock"] : []),
    ...(flows > 0 ? [`about ${digits(flows)} flows in conntrack`] : []),
  ].join(', ');

function switchTable(results: Results, which: Case): string {
  const rows = results.switches.filter((one) => title(one) === title(which)).map((one) => switchRow(one));
  const known = peersOf(results.switches);
  const gone = results.absent.filter(
    ({ peer, services }) => services === which.services && known.includes(peer),
  );
  return table(
    ['', 'answer, ms', 'first on the new DomU', 'last on the old', 'lost', 'misdirected', 'of', 'requests'],
    [...rows, ...gone.map(({ peer, why }) => [peer, why, '—', '—', '—', '—', '—', '—'])],
  );
}

function switchRow({ peer, flips, clients, failure }: CaseResult): string[] {
  const done = flips.filter(({ outcome }) => outcome === 'done');
  const late = flips.filter(({ outcome }) => outcome === 'late');
  const of = (what: 'first' | 'last'): string =>
    clients === 0
      ? '—'
      : spread(
          done.map((one) => one[what]).filter((time) => time >= 0),
          MS,
        );
  const sum = (what: 'lost' | 'misdirected' | 'connections'): string =>
    digits(flips.reduce((all, one) => all + one[what], 0));
  const answer =
    failure !== undefined && flips.length === 0
      ? failure.slice(0, 100)
      : late.length === 0
        ? spread(
            done.map((one) => one.answer),
            MS,
          )
        : `more than ${digits(atLeast(late))}`;
  return [
    peer,
    answer,
    of('first'),
    of('last'),
    sum('lost'),
    sum('misdirected'),
    sum('connections'),
    String(flips.length),
  ];
}

const atLeast = (late: readonly Flip[]): number =>
  quantile(
    late.map(({ answer }) => answer * MS),
    0,
  );

/** Every kind of work with every peer. */
export function pathTables(results: Results): string {
  const titles = [...new Set(results.paths.map(pathTitle))];
  return titles
    .map((name) => {
      const all = results.paths.filter((one) => pathTitle(one) === name);
      return `${name}\n\n${pathTable(all)}`;
    })
    .join('\n\n');
}

const UNIT = {
  connections: 'connections/s',
  requests: 'requests/s',
  bulk: 'MB/s',
  datagrams: 'datagrams/s, each answered',
};

const pathTitle = ({ services, kind, at, family }: PathResult): string =>
  `${kind}, ${services === 1 ? '1 service' : `the ${at} of ${digits(services)} services`}${family === 6 ? ', IPv6' : ''}`;

function pathTable(all: readonly PathResult[]): string {
  const scale = all[0]?.kind === 'bulk' ? 65536 / 1e6 : 1;
  const rows = all.map(({ peer, kind, works }) => {
    const of = (what: 'p50' | 'p99' | 'p999'): string =>
      kind === 'bulk' || kind === 'datagrams' ? '—' : digits(median(works.map((one) => one[what])) * US);
    const busy = median(works.map((one) => one.busy)) / 1e9;
    const lost = works.reduce((sum, one) => sum + one.lost, 0);
    return [
      peer,
      spread(works.map(rate), scale),
      of('p50'),
      of('p99'),
      of('p999'),
      busy.toFixed(2),
      String(lost),
    ];
  });
  const unit = UNIT[all[0]?.kind ?? 'connections'];
  return table(['', unit, 'p50, µs', 'p99', 'p99.9', 'CPU seconds of the machine', 'lost'], rows);
}

/** The README's: a row a peer. */
export function briefSwitches(results: Results): string {
  const sizes = sizesOf(results);
  const columns: readonly (readonly [string, Case, 'answer' | 'first'])[] = [
    ['idle', { services: 1, moved: 1, clients: 0 }, 'answer'],
    ['4 clients', { services: 1, moved: 1, clients: 4 }, 'first'],
    ['100 services at once', { services: 100, moved: 100, clients: 0 }, 'answer'],
    ...sizes
      .filter((services) => services >= 1000)
      .map((services) => [`1 of ${digits(services)}`, { services, moved: 1, clients: 0 }, 'answer'] as const),
    ['lock held', { services: 100, moved: 1, clients: 0, locked: true }, 'answer'],
  ];
  const rows = peersOf(results.switches).map((peer) => {
    const own = results.switches.filter((one) => one.peer === peer).flatMap(({ flips }) => flips);
    const sum = (what: 'lost' | 'misdirected'): string =>
      digits(own.reduce((all, one) => all + one[what], 0));
    return [
      peer,
      ...columns.map(([, which, what]) => cell(results, peer, which, what)),
      sum('lost'),
      sum('misdirected'),
    ];
  });
  const left = results.left.map(({ peer }) => [peer, ...columns.map(() => '—'), '—', '—']);
  return table(['switch, ms', ...columns.map(([name]) => name), 'lost', 'misdirected'], [...rows, ...left]);
}

function cell(results: Results, peer: string, which: Case, what: 'answer' | 'first'): string {
  const found = results.switches.find((one) => one.peer === peer && title(one) === title(which));
  if (found === undefined || found.flips.length === 0) return '—';
  const late = found.flips.filter(({ outcome }) => outcome === 'late');
  if (late.length > 0) return `more than ${digits(atLeast(late))}`;
  const done = found.flips.filter(({ outcome, [what]: time }) => outcome === 'done' && time >= 0);
  return digits(median(done.map((one) => one[what])) * MS);
}

/** The README's: a row a peer, one service. */
export function briefPaths(results: Results): string {
  const largest = Math.max(...sizesOf(results));
  const of = (peer: string, kind: PathResult['kind'], scale: number): string =>
    digits(median(worksOf(results, peer, { services: 1, kind }).map(rate)) * scale);
  const rows = peersOf(results.paths).map((peer) => {
    const connections = worksOf(results, peer, { services: 1, kind: 'connections' });
    const last = worksOf(results, peer, { services: largest, kind: 'connections', at: 'last' });
    return [
      peer,
      of(peer, 'connections', 1),
      digits(median(last.map(rate))),
      of(peer, 'requests', 1),
      of(peer, 'bulk', 65536 / 1e6),
      of(peer, 'datagrams', 1),
      (['p50', 'p99', 'p999'] as const)
        .map((what) => digits(median(connections.map((one) => one[what])) * US))
        .join(' / '),
      digits(costOf(connections)),
      keepsSource(connections),
    ];
  });
  return table(
    [
      '',
      'connections/s',
      `last of ${digits(largest)}`,
      'requests/s',
      'bulk, MB/s',
      'datagrams/s',
      'a connection, µs: p50 / p99 / p99.9',
      'CPU, µs',
      'source address',
    ],
    rows,
  );
}

/** The client's is 198.51.100.2. */
const keepsSource = (works: readonly { readonly greeting: string }[]): string =>
  works.length === 0
    ? '—'
    : works.every(({ greeting }) => greeting.endsWith(' 198.51.100.2'))
      ? 'kept'
      : 'lost';

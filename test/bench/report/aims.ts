import { digits, table } from '../figures.ts';
import type { Results } from '../results.ts';
import { costOf, DIRECTOR, figure, flipsOf, rateOf, sizesOf, worksOf } from './look-up.ts';
import type { Way } from './look-up.ts';

interface Aim {
  readonly what: string;
  readonly aim: string;
  /** What was measured, in words. */
  readonly measured: string;
  /** Null where it was not measured. */
  readonly reached: boolean | null;
}

const HAPROXY = 'HAProxy, runtime API';
const NFTLB = 'nftlb, JSON API';
const RULE = 'iptables -R';
const SPAWNED = [RULE, 'iptables-restore'];
const MESSAGE = 'a bare set message';

/** What is to be reached, beside what this run has measured: ratios, hardly any absolute time. */
export function aimsTable(results: Results): string {
  const rows = [...switchAims(results), ...pathAims(results), ...daemonAims(results)].map(
    ({ what, aim, measured, reached }) => [
      what,
      aim,
      measured,
      reached === null ? '—' : reached ? 'yes' : '**no**',
    ],
  );
  return table(['', 'aim', 'measured', 'reached'], rows);
}

function switchAims(results: Results): Aim[] {
  const largest = Math.max(...sizesOf(results));
  const first = (peer: string, clients: number): number =>
    figure(flipsOf(results, peer, { services: 1, moved: 1, clients }), 'first');
  const answer = (services: number): number =>
    figure(flipsOf(results, DIRECTOR, { services, moved: 1, clients: 0 }), 'answer');
  const loaded = (services: number): number =>
    figure(flipsOf(results, DIRECTOR, { services, moved: 1, clients: 4 }), 'first');
  const idle = { services: 1, moved: 1, clients: 0 };
  const kernel =
    figure(flipsOf(results, DIRECTOR, idle), 'flip') / figure(flipsOf(results, MESSAGE, idle), 'answer');
  const faster = (others: readonly string[], aim: number, text: string, clients: number): Aim => {
    const ratio = Math.min(...others.map((peer) => first(peer, clients))) / first(DIRECTOR, clients);
    return {
      what: `request to first connection on the new DomU, ${clients} ${clients === 1 ? 'client' : 'clients'}: against ${text}`,
      aim: aim === 1 ? 'as fast' : `${aim} times as fast`,
      measured: Number.isNaN(ratio)
        ? '—'
        : `${digits(ratio)} times (${digits(first(DIRECTOR, clients) / 1e6)} ms)`,
      reached: Number.isNaN(ratio) ? null : ratio >= aim,
    };
  };
  return [
    ...[1, 4].flatMap((clients) => [
      faster([HAPROXY], 1, "HAProxy's runtime API", clients),
      faster([NFTLB], 20, 'nftlb', clients),
      faster(SPAWNED, 20, 'spawned iptables', clients),
    ]),
    {
      what: "the kernel's own part of a switch, against a single set message of a bare program",
      ...atMost(kernel, 3),
    },
    {
      what: `switch with ${digits(largest)} services against 1: answer, idle`,
      ...atMost(answer(largest) / answer(1), 1.2),
    },
    {
      what: `the same: first connection on the new DomU, 4 clients`,
      ...atMost(loaded(largest) / loaded(1), 1.2),
    },
    lostAim(results),
  ];
}

/** Of the director's alone; others' are in the tables. */
function lostAim({ switches, paths }: Results): Aim {
  const flips = switches.filter(({ peer }) => peer === DIRECTOR).flatMap((one) => one.flips);
  const works = paths
    .filter(({ peer, kind }) => peer === DIRECTOR && kind === 'connections')
    .flatMap((one) => one.works);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const lost = sum(flips.map((one) => one.lost)) + sum(works.map((one) => one.lost));
  const misdirected = sum(flips.map((one) => one.misdirected));
  const all = sum(flips.map((one) => one.connections)) + sum(works.map((one) => one.done));
  return {
    what: 'connections lost or misdirected, over all runs',
    aim: '0',
    measured: `${lost} and ${misdirected}, of ${digits(all)}`,
    reached: lost + misdirected === 0,
  };
}

function pathAims(results: Results): Aim[] {
  const largest = Math.max(...sizesOf(results));
  const of = (peer: string, way: Way): number => rateOf(worksOf(results, peer, way));
  const against = (peer: string, way: Way): number => of(DIRECTOR, way) / of(peer, way);
  const connections = { services: 1, kind: 'connections' } as const;
  const many = (at: 'first' | 'last'): number =>
    of(DIRECTOR, { services: largest, kind: 'connections', at }) / of(DIRECTOR, connections);
  return [
    { what: 'new connections a second, against the bare rule', ...atLeast(against(RULE, connections), 0.97) },
    { what: 'the same, IPv6', ...atLeast(against(RULE, { ...connections, family: 6 }), 0.97) },
    { what: 'new connections a second, against HAProxy', ...atLeast(against(HAPROXY, connections), 1.8) },
    {
      what: `new connections a second with ${digits(largest)} services against 1: the first, the last`,
      ...atLeast(
        Math.min(many('first'), many('last')),
        0.95,
        `${digits(many('first'))}, ${digits(many('last'))}`,
      ),
    },
    {
      what: 'bulk throughput, against the bare rule',
      ...atLeast(against(RULE, { services: 1, kind: 'bulk' }), 0.99),
    },
    {
      what: 'small datagrams a second, against the bare rule',
      ...atLeast(against(RULE, { services: 1, kind: 'datagrams' }), 0.99),
    },
    {
      what: 'CPU of the whole machine for a new connection, against the bare rule',
      aim: '—',
      measured: digits(
        costOf(worksOf(results, DIRECTOR, connections)) / costOf(worksOf(results, RULE, connections)),
      ),
      reached: null,
    },
  ];
}

function daemonAims({ daemon }: Results): Aim[] {
  const largest = daemon.toSorted((a, b) => a.services - b.services).at(-1);
  if (largest === undefined) return [];
  const thousand = daemon.find(({ services }) => services === 1000);
  const many = largest.services === 1 ? '1 service' : `${digits(largest.services)} services`;
  // An aim is for ten thousand; with fewer there is only a figure.
  const judged = (ok: boolean): boolean | null => (largest.services === 10_000 ? ok : null);
  const { firstStart, restart, resident, change } = largest;
  return [
    {
      what: `first start with ${many} until it is ready, on an empty kernel; over an unchanged one`,
      aim: '5 s; 1 s',
      measured: `${digits(firstStart / 1000)} s; ${digits(restart / 1000)} s`,
      reached: judged(firstStart <= 5000 && restart <= 1000),
    },
    {
      what: `one service changed among ${many}, over the API`,
      aim: '50 ms',
      measured: `${digits(change)} ms`,
      reached: judged(change <= 50),
    },
    {
      what: `memory with ${many}`,
      aim: '250 MB',
      measured: `${digits(resident / 1e6)} MB`,
      reached: judged(resident <= 250e6),
    },
    ...(thousand === undefined
      ? []
      : [
          {
            what: 'a scrape with 1,000 services, over the socket',
            aim: '20 ms',
            measured: `${digits(thousand.scrape)} ms, ${digits(thousand.scrapeBytes / 1000)} kB`,
            reached: thousand.scrape <= 20,
          },
        ]),
  ];
}

type Judged = Omit<Aim, 'what'>;

const atLeast = (value: number, aim: number, text = digits(value)): Judged => ({
  aim: String(aim),
  measured: text,
  reached: Number.isNaN(value) ? null : value >= aim,
});
const atMost = (value: number, aim: number): Judged => ({
  aim: `at most ${aim}`,
  measured: digits(value),
  reached: Number.isNaN(value) ? null : value <= aim,
});

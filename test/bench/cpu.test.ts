import { release } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { median, signedPercent, table } from './figures.ts';
import { Load, WORKS } from './load.ts';
import type { Work } from './load.ts';
import { metered } from './metered.ts';
import type { Told } from './metered.ts';
import { BenchNetwork, SERVICES } from './network.ts';

/** How often each work is done in each mode. */
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7);
const HOUR = 3_600_000;
/** For the truth, of which there are several in a round; and for the meter, which has to see some windows of it. */
const SHORT: Readonly<Record<Work, number>> = { udp: 100_000, rr: 40_000, connections: 8_000, bulk: 60_000 };
const LONG: Readonly<Record<Work, number>> = {
  udp: 400_000,
  rr: 200_000,
  connections: 40_000,
  bulk: 120_000,
};
/** Pairs of the bridged and the routed, one after the other, in a round. */
const PAIRS = 4;
const MODES = ['windows', 'always', 'sampler', 'model'] as const;
type Mode = (typeof MODES)[number];
const [MAIL, LDAP] = SERVICES;

/** Seconds for one piece of work, and what was told of it. */
interface Metered {
  readonly cpu: number;
  readonly told: Told;
}

interface Round {
  /** Without a meter, pair by pair: what of each piece the bridge took, and what routing took more. */
  readonly truth: readonly { readonly bridged: number; readonly more: number }[];
  readonly metered: Readonly<Record<Mode, Metered>>;
  /** The meter's work without a meter: as much of it, for what it leaves behind (conntrack's entries) slows it down. */
  readonly unmetered: number;
}

let network: BenchNetwork;
let load: Load;
const rounds = new Map<Work, Round[]>(WORKS.map((work) => [work, []]));

beforeAll(async () => {
  network = await BenchNetwork.create();
  load = await Load.build(network);
});
afterAll(() => network.destroy());

test(
  'what the meter tells, beside what the processes took',
  async () => {
    for (let round = 0; round < ROUNDS; round++) await doRound(round);
    console.log(
      [
        `${new Date().toISOString().slice(0, 10)}, Linux ${release()}, medians of ${ROUNDS} interleaved rounds`,
        truthTable(),
        errorTable(),
      ].join('\n\n'),
    );
    const error = median(WORKS.map((work) => Math.abs(errorOf(work, 'windows'))));
    console.log(`windows are off by ${(error * 100).toFixed(0)} % in the median of the works`);
    expect(error).toBeLessThan(0.25);
  },
  HOUR,
);

test(
  'the shares of two services at once',
  async () => {
    await network.direct({ meter: 'windows' });
    const errors: number[] = [];
    for (let round = 0; round < ROUNDS; round++) errors.push(await shareError());
    const points = median(errors.map(Math.abs)) * 100;
    console.log(`shares of two services at once: ${points.toFixed(1)} points off`);
    expect(points).toBeLessThan(7);
  },
  HOUR,
);

/** The truth first, then each mode once, another first each time. */
async function doRound(round: number): Promise<void> {
  await network.direct({ meter: 'off' });
  const truths = new Map<Work, Round['truth']>();
  for (const work of WORKS) truths.set(work, await takeTruth(work));
  const metered = new Map<Work, Partial<Record<Mode, Metered>>>(WORKS.map((work) => [work, {}]));
  const unmetered = new Map<Work, number>();
  const ways = ['off', ...MODES] as const;
  for (const way of ways.map((_, at) => ways[(at + round) % ways.length] ?? 'off')) {
    await network.direct({ meter: way });
    for (const work of WORKS) {
      if (way === 'off') unmetered.set(work, await routed(work));
      else metered.set(work, { ...metered.get(work), [way]: await doMetered(work) });
    }
  }
  for (const work of WORKS) {
    rounds.get(work)?.push({
      truth: truths.get(work) ?? [],
      metered: metered.get(work) as Round['metered'],
      unmetered: unmetered.get(work) ?? NaN,
    });
  }
}

/** Neighbours in time differ by routing alone: what else the machine does changes slowly. */
async function takeTruth(work: Work): Promise<Round['truth']> {
  const pairs: { bridged: number; more: number }[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const bridged = (await load.bridged(work, SHORT[work])).cpu / SHORT[work];
    const routed = (await load.routed(work, SHORT[work], MAIL)).cpu / SHORT[work];
    pairs.push({ bridged, more: routed - bridged });
  }
  return pairs;
}

async function doMetered(work: Work): Promise<Metered> {
  let cpu = 0;
  const told = await metered(network, MAIL, async () => {
    cpu = await routed(work);
  });
  return { cpu, told };
}

const routed = async (work: Work): Promise<number> =>
  (await load.routed(work, LONG[work], MAIL)).cpu / LONG[work];

const roundsOf = (work: Work): readonly Round[] => rounds.get(work) ?? [];
const truthOf = (work: Work, what: 'bridged' | 'more'): number =>
  median(roundsOf(work).flatMap(({ truth }) => truth.map((pair) => pair[what])));
const toldOf = (work: Work, mode: Mode): number[] =>
  roundsOf(work).map(({ metered: by }) => by[mode].told.overhead / LONG[work]);

const errorOf = (work: Work, mode: Mode): number => median(toldOf(work, mode)) / truthOf(work, 'more') - 1;

/** Beside as much of the same work without a meter, in the same round. */
const lostTo = (work: Work, mode: Mode): number =>
  median(roundsOf(work).map(({ metered: by, unmetered }) => by[mode].cpu / unmetered - 1));

function truthTable(): string {
  const rows = WORKS.map((work) => {
    const windows = roundsOf(work).map(({ metered: by }) => by.windows.told);
    const each = median(windows.map(({ packets }) => packets)) / LONG[work];
    const nanos = (seconds: number): string => String(Math.round((seconds / each) * 1e9));
    const all = roundsOf(work).flatMap(({ truth }) => truth.map(({ more }) => more));
    const spread = [0.25, 0.75].map(
      (part) => all.toSorted((a, b) => a - b)[Math.floor(all.length * part)] ?? NaN,
    );
    return [
      work,
      String(Math.round(each * LONG[work])),
      nanos(truthOf(work, 'bridged')),
      nanos(truthOf(work, 'more')),
      spread.map(nanos).join(' to '),
      signedPercent(truthOf(work, 'more') / truthOf(work, 'bridged')),
      String(median(windows.map(({ samples }) => samples))),
    ];
  });
  return table(
    [
      'work',
      'packets',
      'bridged, both ends and all: ns a packet',
      'routed: more ns',
      'half of the pairs',
      'of all',
      'timed in windows',
    ],
    rows,
  );
}

function errorTable(): string {
  const rows = MODES.map((mode) => [
    mode,
    ...WORKS.map((work) => signedPercent(errorOf(work, mode))),
    ...WORKS.map((work) => `${(lostTo(work, mode) * 100).toFixed(1)} %`),
  ]);
  return table(
    ['mode', ...WORKS.map((work) => `${work}: error`), ...WORKS.map((work) => `${work}: lost`)],
    rows,
  );
}

/** What the first service's share is off, against what each takes alone. */
async function shareError(): Promise<number> {
  const alone = async (work: Work, service: typeof MAIL | typeof LDAP): Promise<number> =>
    (await load.routed(work, LONG[work], service)).cpu - (await load.bridged(work, LONG[work])).cpu;
  const [mail, ldap] = [await alone('udp', MAIL), await alone('rr', LDAP)];
  const told: Told[] = [];
  await Promise.all([
    metered(network, MAIL, () => load.routed('udp', LONG.udp, MAIL)).then((each) => told.push(each)),
    metered(network, LDAP, () => load.routed('rr', LONG.rr, LDAP)).then((each) => told.push(each)),
  ]);
  const [one, other] = told.toSorted((a, b) => b.packets - a.packets);
  if (one === undefined || other === undefined) return NaN;
  return one.overhead / (one.overhead + other.overhead) - mail / (mail + ldap);
}

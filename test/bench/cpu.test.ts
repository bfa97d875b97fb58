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
const AMOUNT: Readonly<Record<Work, number>> = { udp: 200_000, rr: 30_000, connections: 6_000, bulk: 40_000 };
const MODES = ['windows', 'always', 'sampler', 'model', 'off'] as const;
type Mode = (typeof MODES)[number];
const [MAIL, LDAP] = SERVICES;

interface Round {
  readonly bridged: number;
  readonly routed: Readonly<Record<Mode, { readonly cpu: number; readonly told: Told }>>;
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

/** Each mode once, another first each time; each work beside its bridged twin. */
async function doRound(round: number): Promise<void> {
  const order = MODES.map((_, at) => MODES[(at + round) % MODES.length] ?? 'off');
  const taken = new Map<Work, Partial<Record<Mode, { cpu: number; told: Told }>>>();
  const bridged = new Map<Work, number[]>();
  for (const mode of order) {
    await network.direct({ meter: mode });
    for (const work of WORKS) {
      bridged.set(work, [...(bridged.get(work) ?? []), (await load.bridged(work, AMOUNT[work])).cpu]);
      const done = taken.get(work) ?? {};
      done[mode] = await doRouted(mode, work);
      taken.set(work, done);
    }
  }
  for (const work of WORKS) {
    rounds.get(work)?.push({
      bridged: median(bridged.get(work) ?? []),
      routed: taken.get(work) as Round['routed'],
    });
  }
}

async function doRouted(mode: Mode, work: Work): Promise<{ cpu: number; told: Told }> {
  let cpu = 0;
  const go = async (): Promise<void> => {
    cpu = (await load.routed(work, AMOUNT[work], MAIL)).cpu;
  };
  const nothing: Told = { cpu: 0, overhead: 0, packets: 0, samples: 0 };
  if (mode !== 'off') return { told: await metered(network, MAIL, go), cpu };
  await go();
  return { told: nothing, cpu };
}

/** The truth is of what ran without hooks and samples: without a meter, and with one that only counts. */
const truthOf = (work: Work): number =>
  median(
    (rounds.get(work) ?? []).flatMap(({ routed, bridged }) =>
      [routed.off, routed.model].map(({ cpu }) => cpu - bridged),
    ),
  );

const errorOf = (work: Work, mode: Mode): number =>
  median((rounds.get(work) ?? []).map(({ routed }) => routed[mode].told.overhead)) / truthOf(work) - 1;

const lostTo = (work: Work, mode: Mode): number =>
  median(
    (rounds.get(work) ?? []).map(
      ({ routed }) => routed[mode].cpu / median([routed.off.cpu, routed.model.cpu]),
    ),
  ) - 1;

function truthTable(): string {
  const rows = WORKS.map((work) => {
    const all = rounds.get(work) ?? [];
    const packets = median(all.map(({ routed }) => routed.windows.told.packets));
    const nanos = (seconds: number): string => String(Math.round((seconds / packets) * 1e9));
    const bridged = median(all.map((round) => round.bridged));
    return [
      work,
      String(packets),
      nanos(bridged),
      nanos(truthOf(work)),
      signedPercent(truthOf(work) / bridged),
      String(median(all.map(({ routed }) => routed.windows.told.samples))),
    ];
  });
  return table(
    [
      'work',
      'packets',
      'bridged, both ends and all: ns a packet',
      'routed: more ns',
      'of all',
      'timed in windows',
    ],
    rows,
  );
}

function errorTable(): string {
  const modes = MODES.filter((mode) => mode !== 'off');
  const rows = modes.map((mode) => [
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
    (await load.routed(work, AMOUNT[work], service)).cpu - (await load.bridged(work, AMOUNT[work])).cpu;
  const [mail, ldap] = [await alone('udp', MAIL), await alone('rr', LDAP)];
  const told: Told[] = [];
  await Promise.all([
    metered(network, MAIL, () => load.routed('udp', AMOUNT.udp, MAIL)).then((each) => told.push(each)),
    metered(network, LDAP, () => load.routed('rr', AMOUNT.rr, LDAP)).then((each) => told.push(each)),
  ]);
  const [one, other] = told.toSorted((a, b) => b.packets - a.packets);
  if (one === undefined || other === undefined) return NaN;
  return one.overhead / (one.overhead + other.overhead) - mail / (mail + ldap);
}

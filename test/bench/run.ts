import { existsSync } from 'node:fs';
import { assemble, disband } from './contenders.ts';
import type { Absent, Contender } from './contenders.ts';
import { daemonFigures } from './daemon-figures.ts';
import type { DaemonFigures } from './daemon-figures.ts';
import { takePath } from './paths.ts';
import type { PathCase, PathResult } from './paths.ts';
import { director } from './peers/director.ts';
import { haproxy } from './peers/haproxy.ts';
import { nftMap } from './peers/nft-map.ts';
import { nftlb } from './peers/nftlb.ts';
import type { Peer } from './peers/peer.ts';
import { replacedLegacyRule, replacedRule, restoredLegacyRules, restoredRules } from './peers/rules.ts';
import { setMessage } from './peers/set-message.ts';
import { straight } from './peers/straight.ts';
import type { Programs } from './programs.ts';
import { machineFacts } from './results.ts';
import type { Results } from './results.ts';
import { takeCase } from './switches.ts';
import type { Case, CaseResult, Effort } from './switches.ts';
import { KINDS } from './works.ts';
import type { Kind } from './works.ts';

/** How much is done; all of it is bounded, so that the whole is. */
export interface Extent {
  readonly quick: boolean;
  readonly switchSizes: readonly number[];
  readonly pathSizes: readonly number[];
  readonly effort: Effort;
  readonly pathRounds: number;
  readonly amounts: Readonly<Record<Kind, number>>;
  /** Milliseconds that a peer has to start, with however many services. */
  readonly startWithin: number;
}

export const FULL: Extent = {
  quick: false,
  switchSizes: [1, 100, 1000, 10_000],
  pathSizes: [1, 100, 1000, 10_000],
  effort: { rounds: 8, each: 4, budget: 8000, limit: 10_000 },
  pathRounds: 5,
  amounts: { connections: 16_000, requests: 60_000, bulk: 24_000, datagrams: 160_000 },
  startWithin: 90_000,
};
export const QUICK: Extent = {
  quick: true,
  switchSizes: [1, 100],
  pathSizes: [1, 100],
  effort: { rounds: 2, each: 2, budget: 2000, limit: 3000 },
  pathRounds: 2,
  amounts: { connections: 4000, requests: 10_000, bulk: 4000, datagrams: 20_000 },
  startWithin: 20_000,
};

/** Of both iptables, their tools, nft, the set message, and the daemons. */
const switching = (): Peer[] => [
  director(),
  setMessage(),
  haproxy(),
  nftlb(),
  replacedRule(),
  restoredRules(),
  replacedLegacyRule(),
  restoredLegacyRules(),
  nftMap(),
];
const carrying = (services: number): Peer[] => [
  director({ datagrams: true, ipv6: services === 1 }),
  replacedRule(),
  nftMap(),
  nftlb(),
  haproxy(),
  straight(),
];

type Say = (line: string) => void;

export async function measureAll(programs: Programs, extent: Extent, say: Say): Promise<Results> {
  const switches = await measureSwitches(programs, extent, say);
  const paths = await measurePaths(programs, extent, say);
  return {
    machine: await machineFacts(extent.quick),
    switches: switches.results,
    paths: paths.results,
    starts: [...switches.starts, ...paths.starts],
    absent: [...switches.absent, ...paths.absent],
    daemon: switches.daemon,
    left: whoIsLeft(),
  };
}

interface Part<T> {
  readonly results: T[];
  readonly starts: Results['starts'][number][];
  readonly absent: Absent[];
}

/** keepalived's director is IPVS; where the kernel has none there is nothing to measure. */
function whoIsLeft(): Results['left'] {
  const why = existsSync('/proc/net/ip_vs')
    ? 'it takes a new list of servers by a reload only, and VRRP moves a whole address, for everybody'
    : 'this kernel has no IPVS, which is what it directs by';
  return [{ peer: 'keepalived', why }];
}

function casesOf(services: number): Case[] {
  const one = [0, 1, 4].map((clients) => ({ services, moved: 1, clients }));
  if (services !== 100) return one;
  const several = [10, 100].flatMap((moved) => [0, 4].map((clients) => ({ services, moved, clients })));
  return [...one, ...several, { services, moved: 1, clients: 0, locked: true }];
}

async function measureSwitches(
  programs: Programs,
  { switchSizes, effort, startWithin }: Extent,
  say: Say,
): Promise<Part<CaseResult> & { readonly daemon: DaemonFigures[] }> {
  const part: Part<CaseResult> = { results: [], starts: [], absent: [] };
  const daemon: DaemonFigures[] = [];
  for (const services of switchSizes) {
    const witnesses = [0, 9, 99, services - 1].filter((n) => n < services);
    const field = await assemble(programs, switching(), { services, witnesses, within: startWithin });
    try {
      note(part, field.contenders, field.absent, say);
      for (const which of casesOf(services)) {
        part.results.push(...(await takeCase(field.contenders, which, effort)));
        say(`switched: ${JSON.stringify(which)}`);
      }
      const own = field.contenders.find(({ peer }) => peer.name === 'director');
      if (own !== undefined)
        daemon.push(await daemonFigures(own.place, services, own.startedIn, startWithin));
    } finally {
      await disband(field);
    }
  }
  return { ...part, daemon };
}

async function measurePaths(programs: Programs, extent: Extent, say: Say): Promise<Part<PathResult>> {
  const part: Part<PathResult> = { results: [], starts: [], absent: [] };
  for (const services of extent.pathSizes) {
    const witnesses = [0, services - 1];
    const field = await assemble(programs, carrying(services), {
      services,
      witnesses,
      within: extent.startWithin,
    });
    try {
      note(part, field.contenders, field.absent, say);
      for (const which of pathCases(services, extent)) {
        part.results.push(...(await takePath(field.contenders, which, extent.pathRounds)));
        say(`carried: ${JSON.stringify(which)}`);
      }
    } finally {
      await disband(field);
    }
  }
  return part;
}

/** All that there is with one service and with most of them; else only what an end of the list may change. */
function pathCases(services: number, { pathSizes, amounts }: Extent): PathCase[] {
  const of = (kind: Kind, at: 'first' | 'last', family: 4 | 6 = 4): PathCase => ({
    services,
    kind,
    at,
    family,
    amount: amounts[kind],
  });
  const others = KINDS.filter((kind) => kind !== 'connections');
  if (services === 1) return [...KINDS.map((kind) => of(kind, 'first')), of('connections', 'first', 6)];
  const ends = [of('connections', 'first'), of('connections', 'last')];
  return services === Math.max(...pathSizes) ? [...ends, ...others.map((kind) => of(kind, 'last'))] : ends;
}

function note<T>(part: Part<T>, contenders: readonly Contender[], absent: readonly Absent[], say: Say): void {
  for (const { peer, services, startedIn } of contenders)
    part.starts.push({ peer: peer.name, services, ms: startedIn });
  part.absent.push(...absent);
  say(contenders.map(({ peer, startedIn }) => `${peer.name} ${startedIn.toFixed(0)} ms`).join(', '));
  for (const { peer, services, why } of absent) say(`${peer} with ${services} services: ${why}`);
}

import { existsSync } from 'node:fs';
import { messageOf } from '../../src/lib/errors.ts';
import { assemble, disband } from './contenders.ts';
import type { Absent, Contender } from './contenders.ts';
import { daemonFigures } from './daemon-figures.ts';
import type { DaemonFigures } from './daemon-figures.ts';
import { crowd } from './crowd.ts';
import { takePath } from './paths.ts';
import type { PathCase, PathResult } from './paths.ts';
import { director } from './peers/director.ts';
import { haproxy } from './peers/haproxy.ts';
import { keepalived } from './peers/keepalived.ts';
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

/** How much is done; all of it is bounded, and so is the whole. */
export interface Extent {
  readonly quick: boolean;
  readonly sizes: readonly number[];
  /** How many are moved at once, of as many services. */
  readonly several: readonly number[];
  readonly effort: Effort;
  readonly pathRounds: number;
  readonly amounts: Readonly<Record<Kind, number>>;
  /** How many connections there have been before a switch among many. */
  readonly flows: number;
  /** Milliseconds that a peer has to start, with however many services. */
  readonly startWithin: number;
  /** Milliseconds since the beginning, after which nothing more is begun. */
  readonly deadline: number;
}

export const FULL: Extent = {
  quick: false,
  sizes: [1, 100, 1000, 10_000],
  several: [10, 100],
  effort: { rounds: 12, each: 1, budget: 8000, limit: 10_000 },
  pathRounds: 5,
  amounts: { connections: 16_000, requests: 60_000, bulk: 24_000, datagrams: 160_000 },
  flows: 50_000,
  startWithin: 90_000,
  deadline: 50 * 60_000,
};
export const QUICK: Extent = {
  quick: true,
  sizes: [1, 100],
  several: [100],
  effort: { rounds: 2, each: 1, budget: 1000, limit: 3000 },
  pathRounds: 2,
  amounts: { connections: 4000, requests: 10_000, bulk: 4000, datagrams: 20_000 },
  flows: 5000,
  startWithin: 20_000,
  deadline: 100_000,
};

/** Where several are moved, and the lock is held. */
const MANY = 100;

/** Of several services, the last has UDP too: the first is moved, and those of others have none. */
const everybody = (services: number): Peer[] => [
  director({ udp: services === 1 ? [] : [services - 1] }),
  setMessage(),
  haproxy(),
  nftlb(),
  replacedRule(),
  restoredRules(),
  replacedLegacyRule(),
  restoredLegacyRules(),
  nftMap(),
  keepalived(),
  straight(),
];
/** One of each way to carry: other tools load the same rules. */
const carriers = (): Peer[] => [
  director({ udp: [0], ipv6: true }),
  director({ udp: [0], ipv6: true, unmetered: true }),
  replacedRule(),
  nftMap(),
  nftlb(),
  haproxy(),
  straight(),
];

/** Whoever is asked what conntrack says, or may be slowed down by it. */
const TRACKING = ['director', 'iptables -R', 'nft -f, a map'];

type Say = (line: string) => void;

export async function measureAll(programs: Programs, extent: Extent, say: Say): Promise<Results> {
  const bench = new Bench(programs, extent, say);
  await bench.measureOne();
  for (const services of extent.sizes) await bench.measure(services);
  return { machine: await machineFacts(extent.quick), ...bench.results, left: whoIsLeft() };
}

/** keepalived's other way. */
function whoIsLeft(): Results['left'] {
  const why = existsSync('/proc/net/ip_vs')
    ? 'it takes another server by reading its whole configuration anew, which this bench does not measure'
    : 'this kernel has no IPVS, by which it directs';
  return [{ peer: 'keepalived, IPVS', why }];
}

class Bench {
  readonly results = {
    switches: [] as CaseResult[],
    paths: [] as PathResult[],
    starts: [] as Results['starts'][number][],
    absent: [] as Absent[],
    daemon: [] as DaemonFigures[],
  };
  readonly #programs: Programs;
  readonly #extent: Extent;
  readonly #say: Say;
  readonly #began = performance.now();

  constructor(programs: Programs, extent: Extent, say: Say) {
    this.#programs = programs;
    this.#extent = extent;
    this.#say = say;
  }

  /** Switches, what is carried, and the daemon, with so many services. */
  async measure(services: number): Promise<void> {
    if (this.#isOver({ services })) return;
    const witnesses = [0, 9, 99, services - 1].filter((n) => n < services);
    await this.#meet(services, everybody(services), witnesses, async (contenders) => {
      await this.#switch(services, contenders);
      const names = new Set(carriers().map(({ name }) => name));
      const able = contenders.filter(({ peer }) => names.has(peer.name));
      if (services > 1) await this.#carry(services, able);
      if (services === 1) await this.#crowd(contenders);
      const own = contenders.find(({ peer }) => peer.name === 'director');
      if (own === undefined) return;
      await this.#lookAtDaemon(own);
    });
  }

  /** What one service with all protocols and families carries. */
  measureOne(): Promise<void> {
    return this.#meet(1, carriers(), [0], (contenders) => this.#carry(1, contenders));
  }

  #isOver(which: { readonly services: number }): boolean {
    if (performance.now() - this.#began < this.#extent.deadline) return false;
    const why = `no time was left for ${JSON.stringify(which)}`;
    this.results.absent.push({ peer: 'the bench', services: which.services, why });
    this.#say(why);
    return true;
  }

  async #lookAtDaemon({ place, services, startedIn }: Contender): Promise<void> {
    try {
      const figures = await daemonFigures(place, services, startedIn, this.#extent.startWithin);
      this.results.daemon.push(figures);
      this.#say(JSON.stringify(figures));
    } catch (error) {
      this.results.absent.push({ peer: 'director, restarted', services, why: messageOf(error) });
      this.#say(messageOf(error));
    }
  }

  async #meet(
    services: number,
    peers: readonly Peer[],
    witnesses: readonly number[],
    measure: (contenders: readonly Contender[]) => Promise<void>,
  ): Promise<void> {
    const within = this.#extent.startWithin;
    const field = await assemble(this.#programs, peers, { services, witnesses, within });
    try {
      for (const { peer, startedIn } of field.contenders)
        this.results.starts.push({ peer: peer.name, services, ms: startedIn });
      this.results.absent.push(...field.absent);
      this.#say(
        field.contenders.map(({ peer, startedIn }) => `${peer.name} ${startedIn.toFixed(0)} ms`).join(', '),
      );
      for (const { peer, why } of field.absent) this.#say(`${peer} with ${services} services: ${why}`);
      await measure(field.contenders);
    } finally {
      await disband(field);
    }
  }

  async #switch(services: number, all: readonly Contender[]): Promise<void> {
    const contenders = all.filter(({ peer }) => peer.still !== true);
    for (const which of switchCases(services, this.#extent)) {
      if (this.#isOver(which)) continue;
      const able = contenders.filter(({ peer }) => which.moved === 1 || peer.single !== true);
      const results = await takeCase(able, which, this.#extent.effort);
      this.results.switches.push(...results);
      this.#sayAll(`switched: ${JSON.stringify(which)}`, results);
    }
  }

  /** Who tracks connections switches among many of them. */
  async #crowd(all: readonly Contender[]): Promise<void> {
    const { flows, effort } = this.#extent;
    const which = { services: 1, moved: 1, clients: 0, flows };
    const contenders = all.filter(({ peer }) => TRACKING.includes(peer.name));
    if (this.#isOver(which)) return;
    for (const { peer, place } of contenders)
      this.#say(`${peer.name}: ${await crowd(place, flows)} flows in conntrack`);
    const results = await takeCase(contenders, which, effort);
    this.results.switches.push(...results);
    this.#sayAll(`switched: ${JSON.stringify(which)}`, results);
  }

  #sayAll(what: string, results: readonly { readonly peer: string; readonly failure?: string }[]): void {
    this.#say(what);
    for (const { peer, failure } of results) if (failure !== undefined) this.#say(`${peer}: ${failure}`);
  }

  async #carry(services: number, contenders: readonly Contender[]): Promise<void> {
    for (const which of pathCases(services, this.#extent)) {
      if (this.#isOver(which)) continue;
      const results = await takePath(contenders, which, this.#extent.pathRounds);
      this.results.paths.push(...results);
      this.#sayAll(`carried: ${JSON.stringify(which)}`, results);
    }
  }
}

function switchCases(services: number, { several }: Extent): Case[] {
  const one = [0, 1, 4].map((clients) => ({ services, moved: 1, clients }));
  if (services !== MANY) return one;
  const more = several.flatMap((moved) => [0, 4].map((clients) => ({ services, moved, clients })));
  return [...one, { services, moved: 1, clients: 0, locked: true }, ...more];
}

/** All that there is with one service and with most of them; else only what an end of the list may change. */
function pathCases(services: number, { sizes, amounts }: Extent): PathCase[] {
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
  return services === Math.max(...sizes) ? [...ends, ...others.map((kind) => of(kind, 'last'))] : ends;
}

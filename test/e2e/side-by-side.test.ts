import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assemble, disband } from '../bench/contenders.ts';
import type { Contender, Field } from '../bench/contenders.ts';
import { flip } from '../bench/flips.ts';
import { takePath } from '../bench/paths.ts';
import type { PathResult } from '../bench/paths.ts';
import { director } from '../bench/peers/director.ts';
import { nftMap } from '../bench/peers/nft-map.ts';
import type { Peer } from '../bench/peers/peer.ts';
import { buildPrograms } from '../bench/programs.ts';
import type { Programs } from '../bench/programs.ts';
import { reportText } from '../bench/report/report.ts';
import { NOTHING } from '../bench/report/nothing.ts';
import type { Results } from '../bench/results.ts';
import { takeCase } from '../bench/switches.ts';
import type { CaseResult } from '../bench/switches.ts';

/** `npm run bench` with the director and one other, and hardly any work: what is measured is so, but no figure. */
const SERVICES = 3;
const EFFORT = { rounds: 1, each: 2, budget: 10_000, limit: 10_000 };

let programs: Programs;
let field: Field;
const switches: CaseResult[] = [];
const paths: PathResult[] = [];

beforeAll(async () => {
  programs = await buildPrograms();
  const peers = [director({ udp: [0] }), nftMap()];
  field = await assemble(programs, peers, { services: SERVICES, witnesses: [0, 2], within: 30_000 });
});
afterAll(async () => {
  await disband(field);
  await programs.remove();
});

describe('the director beside another', () => {
  it.each([
    { moved: 1, clients: 0 },
    { moved: 1, clients: 2 },
    { moved: SERVICES, clients: 2 },
  ])('$moved moved, $clients clients: nobody is lost or misdirected', async ({ moved, clients }) => {
    const results = await takeCase(field.contenders, { services: SERVICES, moved, clients }, EFFORT);
    switches.push(...results);
    for (const { peer, flips } of results) {
      expect(
        flips.map(({ way, outcome }) => `${way} ${outcome}`),
        peer,
      ).toEqual(['forth done', 'back done', 'forth done', 'back done']);
      expect(
        flips.map(({ lost, misdirected }) => lost + misdirected),
        peer,
      ).toEqual([0, 0, 0, 0]);
      if (clients > 0)
        expect(
          flips.every(({ first, connections }) => first > 0 && connections > 0),
          peer,
        ).toBe(true);
    }
  });

  it('the director does not wait for iptables’ lock', async () => {
    const locked = { services: SERVICES, moved: 1, clients: 0, locked: true };
    const [own] = await takeCase(field.contenders, locked, EFFORT);
    expect(own?.flips.map(({ outcome }) => outcome)).toEqual(['done', 'done']);
  });

  it('whoever says that it is done, and has moved nobody, is found out', async () => {
    const [{ place }] = field.contenders as [Contender];
    const liar: Peer = { ...nftMap(), move: () => ({ how: 'pipe true', payload: '' }) };
    const [forth] = await flip(liar, place, { moved: [0], clients: 1, rounds: 1, limit: 1000 });
    expect(forth?.outcome).toBe('done');
    expect(forth?.first).toBe(-1);
    expect(forth?.misdirected).toBeGreaterThan(0);
  });

  it.each([
    { kind: 'connections', at: 'first', amount: 256 },
    { kind: 'requests', at: 'last', amount: 256 },
    { kind: 'bulk', at: 'last', amount: 128 },
    { kind: 'datagrams', at: 'first', amount: 1280 },
  ] as const)('$kind to the $at service: all is answered, by the live DomU', async (which) => {
    const results = await takePath(field.contenders, { ...which, services: SERVICES, family: 4 }, 1);
    paths.push(...results);
    for (const { peer, works } of results) {
      expect(
        works.map(({ done, lost }) => [done, lost]),
        peer,
      ).toEqual([[which.amount, 0]]);
      if (which.kind === 'connections') expect(works[0]?.greeting, peer).toBe('a 198.51.100.2');
    }
  });

  it('tells all of it in its tables', () => {
    const results: Results = {
      ...NOTHING,
      switches,
      paths,
    };
    const text = reportText(results);
    for (const row of [
      '3 of 3 services moved, 2 clients',
      'bulk, the last of 3 services',
      'connections lost or misdirected',
    ])
      expect(text).toContain(row);
    for (const { peer } of field.contenders)
      expect(text.split('\n').filter((line) => line.startsWith(`| ${peer.name} `)).length).toBeGreaterThan(6);
    expect(text).not.toContain('NaN');
  });
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { World } from '../../src/lab/world.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Drifting } from './support/drift.ts';
import type { Drift } from './support/drift.ts';

const TOOLS = ['iptables', 'ip6tables'];

let directed: DirectedWorld;
let world: World;
beforeAll(async () => {
  directed = await directedWorld({ config: { top: { iptables: 'legacy' } } });
  ({ world } = directed);
}, 60_000);
afterAll(() => directed.end());

async function legacy(...args: string[]): Promise<void> {
  for (const tool of TOOLS) await world.must('dom0', [`${tool}-legacy`, '-w', ...args]);
}

const legacyText = async (): Promise<string> => {
  const texts = await Promise.all(TOOLS.map((tool) => world.must('dom0', [`${tool}-legacy-save`])));
  return texts.join('').replaceAll(/^#.*\n|\[\d+:\d+\]/gm, '');
};

const DRIFTS: readonly Drift[] = [
  {
    name: 'iptables-legacy -t nat -F',
    act: () => legacy('-t', 'nat', '-F'),
    told: [/nat DIR-mail\.a/, /nat PREROUTING to DIR-PRE/],
    kinds: ['rules'],
  },
  {
    name: 'one rule of the guard deleted',
    act: () => legacy('-D', 'DIR-FWD-mail.b', '1'),
    told: [/filter DIR-FWD-mail\.b/],
    kinds: ['rules'],
  },
  {
    name: 'our jump deleted',
    act: () => legacy('-t', 'nat', '-D', 'PREROUTING', '-j', 'DIR-PRE'),
    told: [/nat PREROUTING to DIR-PRE/],
    kinds: ['rules'],
  },
  {
    name: 'our jump doubled',
    act: () => legacy('-t', 'nat', '-A', 'PREROUTING', '-j', 'DIR-PRE'),
    told: [/nat PREROUTING to DIR-PRE/],
    kinds: ['rules'],
  },
];

it.each(DRIFTS)('with iptables-legacy, $name is put back, and named', async (drift) => {
  const before = await legacyText();
  const took = await new Drifting(directed).putBack(drift);
  console.log(`legacy, ${drift.name}: put back and told after ${took} ms`);
  expect(await legacyText()).toEqual(before);
});

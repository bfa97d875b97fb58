import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LoadSummary } from '../../src/lab/load.ts';
import type { RunningLoad } from '../../src/lab/clients.ts';
import type { World } from '../../src/lab/world.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { ipset, wholeKernel } from './support/drift.ts';
import { Operator } from './support/operator.ts';

const TOOLS = ['iptables', 'ip6tables'] as const;
/** What another version, or a script, may have made of them: the same elements, but not the same set. */
const BENT: Readonly<Record<string, string>> = {
  'dir-vips': 'hash:net family inet counters',
  'dir-vips6': 'hash:ip family inet6 timeout 0',
  'dir-domus': 'hash:net family inet',
  'dir-mail-testers': 'hash:net family inet',
  'dir-mail-testers6': 'hash:net family inet6 counters',
};

let directed: DirectedWorld;
let operator: Operator;
let world: World;
beforeAll(async () => {
  directed = await directedWorld();
  operator = new Operator(directed);
  ({ world } = directed);
}, 60_000);
afterAll(() => directed.end());

/** Rules that read sets keep them: they go first, and come back as they were. */
async function withoutRules(work: () => Promise<void>): Promise<void> {
  const saved = await Promise.all(TOOLS.map((tool) => world.must('dom0', [`${tool}-save`])));
  await world.must('dom0', ['nft', 'flush', 'ruleset']);
  await work();
  for (const [i, tool] of TOOLS.entries())
    await world.must('dom0', [`${tool}-restore`, '-w'], { stdin: saved[i] ?? '' });
}

async function bend(): Promise<void> {
  const texts = await Promise.all(
    Object.entries(BENT).map(async ([name, kind]) => {
      const [, ...elements] = (await world.must('dom0', ['ipset', 'save', name])).trimEnd().split('\n');
      const plain = elements.map((line) => line.replaceAll(/ (timeout|packets|bytes) \d+/g, ''));
      return [`destroy ${name}`, `create ${name} ${kind}`, ...plain];
    }),
  );
  await withoutRules(() => ipset(world, ...texts.flat()));
}

const typesOf = async (): Promise<string[]> =>
  (await world.must('dom0', ['ipset', 'list', '-t']))
    .split('\n')
    .filter((line) => /^(Name|Type|Header)/.test(line))
    .map((line) => line.replaceAll(/ (hashsize|bucketsize|initval|maxelem) \S+/g, ''));

it('sets of ours that are of another kind are made anew, and nobody who connects meanwhile notices', async () => {
  const [types, text] = [await typesOf(), await wholeKernel(world)];
  directed.daemon.process.signal('SIGSTOP');
  let loads: RunningLoad[] = [];
  try {
    await bend();
    expect(await typesOf()).not.toEqual(types);
    loads = (['customer', 'tester'] as const).flatMap((client) =>
      ([4, 6] as const).map((family) =>
        world.startLoad(client, { host: 'mail', port: 8000, family, workers: 2, pause: 5, eachSecond: true }),
      ),
    );
    await expect
      .poll(() => Math.min(...loads.map(({ sofar }) => sofar?.connections ?? 0)), { timeout: 15_000 })
      .toBeGreaterThan(20);
  } finally {
    directed.daemon.process.signal('SIGCONT');
  }
  await expect.poll(typesOf, { timeout: 20_000, interval: 50 }).toEqual(types);
  await expect.poll(() => wholeKernel(world), { timeout: 20_000, interval: 100 }).toEqual(text);
  const [customer4, customer6, tester4, tester6] = await Promise.all(loads.map((load) => load.stop()));
  const seen = (summary: LoadSummary | undefined) => [Object.keys(summary?.byDomu ?? {}), summary?.failures];
  for (const summary of [customer4, customer6]) expect(seen(summary)).toEqual([['mail-a'], {}]);
  for (const summary of [tester4, tester6]) expect(seen(summary)).toEqual([['mail-b'], {}]);
  const repairs = (await operator.journal()).filter(({ kind }) => kind === 'repair');
  expect(repairs.map(({ text: said }) => said).join()).toMatch(
    /dir-vips is hash:net, IPv4, counters, and has to be hash:ip, IPv4/,
  );
});

it('so are those of a type that none of ours has', async () => {
  const types = await typesOf();
  directed.daemon.process.signal('SIGSTOP');
  await withoutRules(() => ipset(world, 'destroy dir-hold', 'create dir-hold list:set'));
  directed.daemon.process.signal('SIGCONT');
  await expect.poll(typesOf, { timeout: 20_000, interval: 50 }).toEqual(types);
  await operator.expectReached('customer', 'mail', 'mail-a');
});

it('a teardown leaves nothing of a choice that is not whole', async () => {
  await directed.daemon.stop();
  await withoutRules(() => ipset(world, 'destroy dir-trial-next'));
  await directed.daemon.start();
  directed.daemon.process.signal('SIGSTOP');
  await withoutRules(() => ipset(world, 'destroy dir-trial-next'));
  directed.daemon.process.signal('SIGCONT');
  await operator.must(204, 'POST', '/v1/teardown');
  expect(await world.must('dom0', ['ipset', 'list', '-n'])).not.toContain('dir-');
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { World } from '../../src/lab/world.ts';
import { done } from './support/directing.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Drifting, ipset, wholeKernel } from './support/drift.ts';

let directed: DirectedWorld;
let world: World;
beforeAll(async () => {
  directed = await directedWorld();
  ({ world } = directed);
}, 60_000);
afterAll(() => directed.end());

const TOOLS = [
  { tool: 'iptables', six: '' },
  { tool: 'ip6tables', six: '6' },
];

/** Set and chains that only the older layout has; `gone` is a service that it had and the configuration has no more. */
const olderSet = (six: string): string => `dir-gone-testers${six}`;
const OLDER_CHAINS = ['DIR-OLDER', 'DIR-gone', 'DIR-gone.a'];

/** Our chains of a table's dump, by name. */
function chainsOf(dump: string): Map<string, string[]> {
  const chains = new Map(
    [...dump.matchAll(/^:(DIR-\S+) /gm)].map(([, name = '']): [string, string[]] => [name, []]),
  );
  for (const [, name = '', rule = ''] of dump.matchAll(/^-A (DIR-\S+) (.*)$/gm)) chains.get(name)?.push(rule);
  return chains;
}

/**
 * The same direction as an older version might have said it: jumps where ours are gotos, the two DomUs' guards in another
 * order, a chain of the older version's own before our jump, and chains of a service that is gone.
 */
function older(table: string, chains: ReadonlyMap<string, readonly string[]>, six: string): string {
  const lines = [...chains].map(([name, rules]): [string, string[]] => {
    const spelt = rules.map((rule) =>
      (/ctstate/.test(rule) ? `${rule} -m comment --comment older` : rule).replace(
        /-g (DIR-(mail|ldap)\.[ab])$/,
        '-j $1',
      ),
    );
    const guards = spelt.filter((rule) => rule.includes('-g DIR-FWD-'));
    return [
      name,
      name === 'DIR-FWD'
        ? [...spelt.filter((rule) => !guards.includes(rule)), ...guards.toReversed()]
        : spelt,
    ];
  });
  if (table === 'nat') {
    lines.push(['DIR-gone.a', ['-j RETURN']]);
    lines.push(['DIR-gone', [`-m set --match-set ${olderSet(six)} src -g DIR-gone.a`, '-j RETURN']]);
    lines.push(['DIR-OLDER', ['-m set ! --match-set dir-vips' + six + ' dst -j RETURN', '-j DIR-gone']]);
  }
  const jump = table === 'nat' ? ['-I PREROUTING -j DIR-OLDER'] : [];
  return [
    `*${table}`,
    ...lines.map(([name]) => `:${name} - [0:0]`),
    ...lines.flatMap(([name, rules]) => rules.map((rule) => `-A ${name} ${rule}`)),
    ...jump,
    'COMMIT\n',
  ].join('\n');
}

/** Leaves in the kernel what an older version would have left; each table changes in one commit. */
async function layDownOlder(): Promise<void> {
  await ipset(
    world,
    `create ${olderSet('')} hash:net timeout 0`,
    `create ${olderSet('6')} hash:net family inet6 timeout 0`,
  );
  for (const { tool, six } of TOOLS) {
    for (const table of ['filter', 'nat']) {
      const dump = await world.must('dom0', [`${tool}-save`, '-t', table]);
      const stdin = older(table, chainsOf(dump), six);
      await world.must('dom0', [`${tool}-restore`, '-w', '--noflush'], { stdin });
    }
  }
}

it(
  'what an older version has left in the kernel is taken over, and nobody notices',
  { timeout: 120_000 },
  async () => {
    const drifting = new Drifting(directed);
    await done(directed, 'testers', 'ldap', 'add', '10.8.0.0/16');
    const [tcp, udp] = [
      world.hold('customer', { host: 'mail', port: 25, every: 50 }),
      world.hold('customer', { host: 'mail', port: 514, protocol: 'udp', every: 50 }),
    ];
    await Promise.all([tcp.next(), udp.next()]);
    const load = world.startLoad('customer', {
      host: 'mail',
      port: 8000,
      processes: 1,
      workers: 2,
      eachSecond: true,
    });
    await expect.poll(() => load.sofar?.connections ?? 0, { timeout: 20_000 }).toBeGreaterThan(0);
    const before = await wholeKernel(world);

    await directed.daemon.stop();
    await layDownOlder();
    const there = (await wholeKernel(world)).join('\n');
    for (const name of [...OLDER_CHAINS, olderSet(''), olderSet('6')]) expect(there).toContain(name);
    const connections = load.sofar?.connections ?? 0;
    await expect.poll(() => load.sofar?.connections ?? 0, { timeout: 20_000 }).toBeGreaterThan(connections);

    await directed.daemon.start();
    expect(await wholeKernel(world)).toEqual(before);
    await drifting.nothingPending();
    await directed.daemon.healthy();

    await Promise.all([tcp.next(), udp.next()]);
    expect([tcp.ended, udp.ended]).toEqual([null, null]);
    // One source port of UDP that is answered by the same DomU all the time.
    expect(new Set(udp.answers.map(({ text }) => text.split(' ')[0]))).toEqual(new Set(['mail-a']));
    const { failures, byDomu } = await load.stop();
    expect([failures, Object.keys(byDomu)]).toEqual([{}, ['mail-a']]);
    await drifting.operator.expectReached('tester', 'mail', 'mail-b');
    await drifting.operator.expectReached('customer', 'ldap', 'ldap-a');
    await Promise.all([tcp.stop(), udp.stop()]);
  },
);

it('what is not known to be of any version of ours is left alone', { timeout: 60_000 }, async () => {
  await directed.daemon.stop();
  await ipset(world, 'create dir-unheard-of hash:ip', 'add dir-unheard-of 192.0.2.1');
  await directed.daemon.start();
  expect(await world.must('dom0', ['ipset', 'list', 'dir-unheard-of'])).toContain('192.0.2.1');
});

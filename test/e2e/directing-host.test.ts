import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { World } from '../../src/lab/world.ts';
import { CLIENTS } from '../../src/lab/topology.ts';
import { MAIL, aside, serveAside, tellRefusals, variedServices } from './support/directing.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { expected, reachOf } from './support/reach.ts';

const TOOLS = ['iptables', 'ip6tables'] as const;
const sourceOf = { iptables: CLIENTS.customer.ipv4, ip6tables: CLIENTS.customer.ipv6 };

let directed: DirectedWorld;
let world: World;

beforeAll(async () => {
  directed = await directedWorld({ services: variedServices() });
  ({ world } = directed);
  await serveAside(world, ['mail-a']);
  await tellRefusals(world);
}, 60_000);
afterAll(() => directed.end());

async function forward(...args: string[]): Promise<void> {
  for (const tool of TOOLS) await world.must('dom0', [tool, '-w', ...args]);
}

const rulesOf = async (tool: (typeof TOOLS)[number]): Promise<string[]> => {
  const text = await world.must('dom0', [tool, '-w', '-S', 'FORWARD']);
  return text.split('\n').filter((line) => line.startsWith('-A'));
};

describe("a host's own rules", () => {
  it('that drop what they do not know do not stop what the director directs', async () => {
    const everybody = ['customer', 'neighbour', 'admin', 'ldap-a'];
    const testers = ['tester', 'beta'];
    await forward('-P', 'FORWARD', 'DROP');
    try {
      expect(await reachOf(world, [...everybody, ...testers], MAIL)).toEqual({
        ...expected(world, everybody, MAIL, 'mail-a'),
        ...expected(world, testers, MAIL, 'mail-b'),
      });
      const gateway = (): { ipv4: string; ipv6: string } => world.service('mail').gateway;
      expect(await reachOf(world, ['mail-b'], MAIL)).toEqual(
        expected(world, ['mail-b'], MAIL, 'mail-a', gateway),
      );
      // What it does not direct is the host's to decide.
      expect(await reachOf(world, ['customer', 'admin'], aside('mail-a'))).toEqual(
        expected(world, ['customer', 'admin'], aside('mail-a'), null),
      );
    } finally {
      await forward('-P', 'FORWARD', 'ACCEPT');
    }
  });

  it.each(['-A', '-I'])('that drop a customer win over the director, added with %s', async (how) => {
    for (const tool of TOOLS) {
      const drop = ['FORWARD', '-s', sourceOf[tool], '-j', 'DROP'];
      await world.must('dom0', [tool, '-w', how, ...drop]);
    }
    const own = TOOLS.map((tool) => expect.stringContaining(sourceOf[tool]) as string);
    const wanted = own.map((rule) => ['-A FORWARD -j DIR-FWD', rule, '-A FORWARD -j DIR-PASS']);
    await expect
      .poll(() => Promise.all(TOOLS.map(rulesOf)), { timeout: 15_000, interval: 100 })
      .toEqual(wanted);
    expect(await reachOf(world, ['customer', 'neighbour'], MAIL)).toEqual({
      ...expected(world, ['customer'], MAIL, null),
      ...expected(world, ['neighbour'], MAIL, 'mail-a'),
    });
    for (const tool of TOOLS) {
      await world.must('dom0', [tool, '-w', '-D', 'FORWARD', '-s', sourceOf[tool], '-j', 'DROP']);
    }
    expect(await reachOf(world, ['customer'], MAIL)).toEqual(expected(world, ['customer'], MAIL, 'mail-a'));
  });
});

describe('a DomU that goes and comes back', () => {
  const masterOf = async (link: string): Promise<string> => {
    const { code, stdout } = await world.exec('dom0', ['ip', '-j', 'link', 'show', 'dev', link]);
    if (code !== 0) return 'gone';
    const [{ master = 'none', flags = [] } = {}] = JSON.parse(stdout) as {
      master?: string;
      flags?: string[];
    }[];
    return `${master}, ${flags.includes('UP') ? 'up' : 'down'}`;
  };

  it('has its interface put on its bridge, and up, and is reached again', async () => {
    const { vif, ipv4, ipv6 } = world.domu('mail-a');
    const { gateway } = world.service('mail');
    expect(await masterOf(vif)).toBe('br-mail, up');
    // A guest has the same MAC after a restart, or its neighbours would have to learn it first.
    const mac = (await world.must('mail-a', ['cat', '/sys/class/net/eth0/address'])).trim();
    await world.must('dom0', ['ip', 'link', 'del', vif]);
    expect(await masterOf(vif)).toBe('gone');
    await world.must('dom0', [
      ...['ip', 'link', 'add', vif, 'type', 'veth'],
      ...['peer', 'name', 'eth0', 'address', mac, 'netns', world.ns('mail-a')],
    ]);
    await world.must('mail-a', ['ip', '-batch', '-'], {
      stdin: [
        `address add ${ipv4}/24 dev eth0`,
        `address add ${ipv6}/64 dev eth0 nodad`,
        'link set dev eth0 up',
        `route add default via ${gateway.ipv4}`,
        `route add default via ${gateway.ipv6}`,
        '',
      ].join('\n'),
    });
    await expect.poll(() => masterOf(vif), { timeout: 10_000, interval: 50 }).toBe('br-mail, up');
    await expect
      .poll(() => reachOf(world, ['customer', 'neighbour'], MAIL), { timeout: 15_000, interval: 100 })
      .toEqual(expected(world, ['customer', 'neighbour'], MAIL, 'mail-a'));
  });

  it('whose interface somebody sets down is told to be sick, and its interface is left to them', async () => {
    const { vif } = world.domu('mail-a');
    const health = async (): Promise<string> => (await directed.daemon.service('mail')).primary.health;
    await expect.poll(health, { timeout: 15_000 }).toBe('healthy');
    await world.must('dom0', ['ip', 'link', 'set', vif, 'down']);
    await expect.poll(health, { timeout: 15_000 }).toBe('unhealthy');
    expect(await masterOf(vif)).toBe('br-mail, down');
    expect((await directed.daemon.call('GET', '/readyz')).status).toBe(200);
    await world.must('dom0', ['ip', 'link', 'set', vif, 'up']);
    await expect.poll(health, { timeout: 15_000 }).toBe('healthy');
  });
});

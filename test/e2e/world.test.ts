import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { destroyLeftovers } from '../../src/lab/namespaces.ts';
import { run } from '../../src/lab/run.ts';
import { CLIENTS, CLIENT_NAMES, addressOf } from '../../src/lab/topology.ts';
import type { LabFamily } from '../../src/lab/topology.ts';
import { World } from '../../src/lab/world.ts';
import { LAB_SCRIPTS } from './support/scripts.ts';

const FAMILIES: readonly LabFamily[] = [4, 6];

/** What the director will do, by hand: the bridge, the addresses, a DNAT of each family to mail-a. */
async function directByHand(world: World): Promise<void> {
  const mail = world.service('mail');
  const [a, b] = mail.domus;
  await world.must('dom0', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  const lines = [
    `link add name ${mail.bridge} type bridge`,
    `link set dev ${mail.bridge} up`,
    `link set dev ${a.vif} master ${mail.bridge}`,
    `link set dev ${b.vif} master ${mail.bridge}`,
    `address add ${mail.gateway.ipv4}/24 dev ${mail.bridge}`,
    `address add ${mail.gateway.ipv6}/64 dev ${mail.bridge} nodad`,
    `address add ${mail.ipv4}/32 dev eth0`,
    `address add ${mail.ipv6}/128 dev eth0 nodad`,
  ];
  await world.must('dom0', ['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  for (const [restore, from, to, target] of [
    ['iptables-restore', mail.ipv4, a.ipv4, `${a.ipv4}:8080`],
    ['ip6tables-restore', mail.ipv6, a.ipv6, `[${a.ipv6}]:8080`],
  ] as const) {
    const rules = [
      '*nat',
      `-A PREROUTING -d ${from} -p tcp --dport 80 -j DNAT --to-destination ${target}`,
      `-A PREROUTING -d ${from} -j DNAT --to-destination ${to}`,
      'COMMIT',
    ];
    await world.must('dom0', [restore, '--noflush', '-w'], { stdin: `${rules.join('\n')}\n` });
  }
}

describe('a lab with a hand-made DNAT', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ scripts: LAB_SCRIPTS, bridgeNetfilter: false });
    await directByHand(world);
    await world.serveAll('1.0', '2.0');
  }, 60_000);
  afterAll(() => world.destroy());

  it.each(CLIENT_NAMES)(
    'the %s reaches the DomU by TCP and UDP, both families, with its own address',
    async (client) => {
      for (const family of FAMILIES) {
        const seen = {
          domu: 'mail-a',
          version: '1.0',
          seenSource: addressOf(CLIENTS[client], family),
          error: null,
        };
        expect(await world.ask(client, { host: 'mail', port: 25, family })).toMatchObject(seen);
        expect(await world.ask(client, { host: 'mail', port: 514, protocol: 'udp', family })).toMatchObject(
          seen,
        );
      }
    },
  );

  it('a port that is translated arrives at the server', async () => {
    for (const family of FAMILIES) {
      expect(await world.ask('customer', { host: 'mail', port: 80, family })).toMatchObject({
        domu: 'mail-a',
      });
    }
  });

  it('every port of a range answers', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => world.ask('customer', { host: 'mail', port: 8000 + i })),
    );
    expect(answers.map(({ domu }) => domu)).toEqual(Array(10).fill('mail-a'));
  });

  it('both DomUs can be reached directly, by router and by neighbour', async () => {
    const { ipv4, ipv6 } = world.domu('mail-b');
    for (const client of ['admin', 'neighbour'] as const) {
      for (const host of [ipv4, ipv6]) {
        expect(await world.ask(client, { host, port: 25 })).toMatchObject({ domu: 'mail-b', version: '2.0' });
      }
    }
  });

  it('a service that nobody directs does not answer', async () => {
    const answer = await world.ask('customer', { host: 'ldap', port: 389, timeout: 500 });
    expect(answer).toMatchObject({ domu: null });
    expect(answer.error).not.toBeNull();
  });

  it('a refused port is told as such', async () => {
    expect(await world.ask('customer', { host: 'mail', port: 26 })).toMatchObject({ error: 'ECONNREFUSED' });
  });

  it('a connection that is held goes on talking to its DomU, and its end is told', async () => {
    const server = await world.serve('mail-a', 'held', [{ protocol: 'tcp', from: 2500, to: 2500 }]);
    const held = world.hold('customer', { host: 'mail', port: 2500, every: 20 });
    expect(await held.next(({ n }) => n === 3)).toMatchObject({ text: 'mail-a: line', error: null });
    expect(held.ended).toBeNull();
    const ended = held.next(({ error }) => error !== null);
    await server.stop();
    await ended;
    expect(held.ended).not.toBeNull();
    await held.stop();
  });

  it('a UDP sender keeps its source port and is answered', async () => {
    const held = world.hold('customer', { host: 'mail', port: 514, protocol: 'udp', family: 6, every: 20 });
    const { text } = await held.next(({ n }) => n === 3);
    expect(text).toBe(`mail-a 1.0 you are ${CLIENTS.customer.ipv6} line`);
    await held.stop();
  });

  it('load counts by DomU and tells the order in which a switch was met', async () => {
    const load = world.startLoad('customer', { host: 'mail', port: 8000, processes: 2, workers: 2 });
    await sleep(500);
    const { ipv4 } = world.service('mail');
    await world.must(
      'dom0',
      ['iptables', '-w', '-t', 'nat', '-I', 'PREROUTING', '-d', ipv4, '-p', 'tcp'].concat([
        '--dport',
        '8000',
        '-j',
        'DNAT',
        '--to-destination',
        world.domu('mail-b').ipv4,
      ]),
    );
    await sleep(500);
    const summary = await load.stop();
    expect(summary.failures).toEqual({});
    expect(Object.keys(summary.byDomu).sort()).toEqual(['mail-a', 'mail-b']);
    expect(summary.connections).toBe((summary.byDomu['mail-a'] ?? 0) + (summary.byDomu['mail-b'] ?? 0));
    const orders = summary.workers.map((transitions) => transitions.map(({ domu }) => domu));
    expect(orders).toEqual(Array(4).fill(['mail-a', 'mail-b']));
  });

  it('load that ends by itself sums up', async () => {
    const summary = await world
      .startLoad('customer', { host: 'mail', port: 26, workers: 1, for: 200 })
      .ended();
    expect(summary).toMatchObject({ connections: 0, byDomu: {} });
    expect(summary.failures['ECONNREFUSED']).toBeGreaterThan(0);
  });

  it('bridgeNetfilter decides what iptables sees of a bridge', async () => {
    const value = await world.must('dom0', ['sysctl', '-n', 'net.bridge.bridge-nf-call-iptables']);
    expect(value.trim()).toBe('0');
  });
});

describe('a lab that ends', () => {
  const namespaces = async (name: string): Promise<string[]> =>
    (await run(['ip', 'netns', 'list'])).stdout.split('\n').filter((line) => line.startsWith(name));

  it('leaves no namespace, no link and no process', async () => {
    const before = (await run(['ip', '-o', 'link'])).stdout;
    const world = await World.create({ services: 1, scripts: LAB_SCRIPTS });
    const server = await world.serve('mail-a', '1.0');
    expect(await namespaces(world.name)).not.toEqual([]);
    await world.destroy();
    expect(await namespaces(world.name)).toEqual([]);
    expect((await run(['ip', '-o', 'link'])).stdout).toBe(before);
    expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
    await world.destroy();
  });

  it('a half-made one leaves nothing either', async () => {
    const name = `d0d-${process.pid}-twice`;
    const first = await World.create({ name, services: 1, scripts: LAB_SCRIPTS });
    await run(['ip', 'netns', 'delete', first.ns('mail-b')]);
    // Its first namespace is there already.
    await expect(World.create({ name, services: 1, scripts: LAB_SCRIPTS })).rejects.toThrow('ip netns add');
    await first.destroy().catch(() => undefined);
    expect(await namespaces(name)).toEqual([]);
  });

  it('a killed one takes its processes along, and the next removes its namespaces', async () => {
    const script = `
      const { World } = await import(${JSON.stringify(`file://${LAB_SCRIPTS}/world.js`)});
      const world = await World.create({ services: 1 });
      const server = await world.serve('mail-a', '1.0');
      console.log(JSON.stringify({ name: world.name, server: server.pid }));
      setInterval(() => undefined, 1000);`;
    const killed = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    });
    const [line] = (await once(createInterface({ input: killed.stdout }), 'line')) as [string];
    const { name, server } = JSON.parse(line) as { name: string; server: number };
    expect(await namespaces(name)).not.toEqual([]);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    await expect.poll(() => isAlive(server), { timeout: 5000 }).toBe(false);
    const removed = await destroyLeftovers();
    expect(removed).toContain(`${name}-dom0`);
    expect(await namespaces(name)).toEqual([]);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

import net from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { tcpConnect } from '../../src/health/connect.ts';
import type { Connect } from '../../src/health/connect.ts';
import { HealthMonitor } from '../../src/health/monitor.ts';
import type { Service } from '../../src/model/service.ts';
import { mailService } from './support/director-double.ts';
import { HandClock } from '../contract/hand-clock.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

/** A monitor whose endpoints fail as `down` says; what it tried stands in `tried`. */
function monitored(services: readonly Service[] = [mailService()]) {
  const clock = new HandClock();
  const down = new Map<string, string>();
  const tried: string[] = [];
  const connect: Connect = ({ host, port }) => {
    tried.push(`${host} ${port}`);
    return Promise.resolve(down.get(host) ?? down.get(`${host} ${port}`) ?? null);
  };
  const monitor = new HealthMonitor({ clock, connect });
  const changes: string[] = [];
  monitor.onChange((service, domu, { status }) => changes.push(`${service} ${domu} ${status}`));
  monitor.watch(services);
  releases.push(() => monitor.close());
  return { clock, down, tried, monitor, changes };
}
const refuse = (down: Map<string, string>, ...keys: string[]) => {
  for (const key of keys) down.set(key, 'connection refused');
};
const EVERY = mailService().health.every;

test('every TCP port is tried on the first address of each family, at the port that the DomU has', async () => {
  const { clock, tried } = monitored();
  await clock.turn(EVERY - 1);
  expect(tried.toSorted()).toEqual(
    ['10.50.0.2', '10.50.0.3', 'fd00:50::2', 'fd00:50::3'].flatMap((host) =>
      ['25', '8000', '8080'].map((port) => `${host} ${port}`),
    ),
  );
});

test('probes of many ports at once are no leak that Node would warn of', async () => {
  const warned = vi.fn();
  process.on('warning', warned);
  releases.push(() => process.off('warning', warned));
  const connect: Connect = (_endpoint, { signal }) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve('called off')));
  const monitor = new HealthMonitor({ clock: new HandClock(), connect });
  const looks = Array.from({ length: 8 }, () => {
    const service = mailService();
    return monitor.probeNow(service, service.domus[0]);
  });
  await new Promise(setImmediate);
  monitor.close();
  await Promise.all(looks);
  expect(warned).not.toHaveBeenCalled();
});

test('probes are spread over the interval', async () => {
  const { clock, tried } = monitored([mailService('mail'), mailService('ldap')]);
  const counts: number[] = [];
  for (let i = 0; i < 4; i++) {
    await clock.turn(EVERY / 4);
    counts.push(tried.length);
  }
  expect(new Set(counts).size).toBe(4);
});

test('all accept: healthy; some: degraded with who does not; none: unhealthy', async () => {
  const { clock, down, monitor } = monitored();
  refuse(down, '10.50.0.3', 'fd00:50::3 25');
  refuse(down, 'fd00:50::3 8080');
  await clock.turn(2 * EVERY);
  expect(monitor.report('mail', 'mail-a')).toMatchObject({ status: 'healthy', reason: null });
  expect(monitor.report('mail', 'mail-b')).toMatchObject({ status: 'degraded' });
  expect(monitor.report('mail', 'mail-b').reason).toBe(
    '10.50.0.3:25: connection refused; 10.50.0.3:8080: connection refused; 10.50.0.3:8000: connection refused; ' +
      '[fd00:50::3]:25: connection refused; [fd00:50::3]:8080: connection refused',
  );
  refuse(down, 'fd00:50::3');
  await clock.turn(2 * EVERY);
  expect(monitor.report('mail', 'mail-b')).toMatchObject({ status: 'unhealthy' });
});

test('of a healthy one a port a look is tried, each in its turn; of another all', async () => {
  const { clock, down, tried, monitor } = monitored();
  const ofA = async (time = EVERY): Promise<string[]> => {
    tried.length = 0;
    await clock.turn(time);
    return tried.filter((each) => /^(10\.50\.0\.2|fd00:50::2) /.test(each));
  };
  const all = (await ofA(EVERY - 1)).toSorted();
  expect(all).toHaveLength(6);
  const turns = [];
  for (let turn = 0; turn < 6; turn++) turns.push(...(await ofA()));
  expect(turns.toSorted()).toEqual(all);

  refuse(down, '10.50.0.2 25');
  for (let turn = 0; turn < 6; turn++) await ofA();
  expect(await ofA()).toHaveLength(6);
  expect(monitor.report('mail', 'mail-a')).toMatchObject({
    status: 'degraded',
    reason: '10.50.0.2:25: connection refused',
  });
  down.clear();
  expect(await ofA()).toHaveLength(6);
  expect(await ofA()).toHaveLength(1);
});

test('a healthy one that answers nowhere any more is unhealthy by the second look, as if all had been tried', async () => {
  const { clock, down, monitor } = monitored();
  await clock.turn(3 * EVERY);
  refuse(down, '10.50.0.2', 'fd00:50::2');
  await clock.turn(2 * EVERY);
  expect(monitor.report('mail', 'mail-a').status).toBe('unhealthy');
});

test('one flake does not make a DomU unhealthy, two in a row do, and one success mends it', async () => {
  const { clock, down, monitor, changes } = monitored();
  await clock.turn(EVERY);
  refuse(down, '10.50.0.2', 'fd00:50::2');
  await clock.turn(EVERY);
  expect(monitor.report('mail', 'mail-a').status).toBe('healthy');
  down.clear();
  await clock.turn(EVERY);
  refuse(down, '10.50.0.2', 'fd00:50::2');
  await clock.turn(EVERY);
  expect(monitor.report('mail', 'mail-a').status).toBe('healthy');
  await clock.turn(EVERY);
  expect(monitor.report('mail', 'mail-a').status).toBe('unhealthy');
  down.clear();
  await clock.turn(EVERY);
  expect(monitor.report('mail', 'mail-a').status).toBe('healthy');
  expect(changes.filter((change) => change.includes('mail-a'))).toEqual([
    'mail mail-a healthy',
    'mail mail-a unhealthy',
    'mail mail-a healthy',
  ]);
});

test('"since" is when it became so, and stays while only the reason changes', async () => {
  const { clock, down, monitor } = monitored();
  refuse(down, '10.50.0.2 25');
  await clock.turn(2 * EVERY);
  const { since } = monitor.report('mail', 'mail-a');
  refuse(down, '10.50.0.2 8080');
  await clock.turn(EVERY);
  const later = monitor.report('mail', 'mail-a');
  expect(later.reason).toContain('8080');
  expect([later.status, later.since]).toEqual(['degraded', since]);
});

test('probeNow tells the truth of now at once, and the watch knows it, too', async () => {
  const { down, monitor, changes } = monitored();
  const service = mailService();
  expect(await monitor.probeNow(service, service.domus[1])).toMatchObject({ status: 'healthy' });
  refuse(down, '10.50.0.3', 'fd00:50::3');
  expect(await monitor.probeNow(service, service.domus[1])).toMatchObject({ status: 'unhealthy' });
  expect(monitor.report('mail', 'mail-b').status).toBe('unhealthy');
  expect(changes).toEqual(['mail mail-b healthy', 'mail mail-b unhealthy']);
  const other = mailService('other');
  expect(await monitor.probeNow(other, other.domus[0])).toMatchObject({ status: 'healthy' });
  expect(monitor.report('other', 'other-a')).toMatchObject({ status: 'unknown', reason: 'not watched' });
});

test('unknown where the check is off, or there is no TCP port, and nothing is tried', async () => {
  const off = { ...mailService('off'), health: { check: 'off', every: 1000, timeout: 100 } } as const;
  const udp = {
    ...mailService('udp'),
    ports: [{ protocol: 'udp', from: 53, to: 53, target: null }],
  } as const;
  const { clock, tried, monitor } = monitored([off, udp]);
  await clock.turn(10_000);
  expect(tried).toEqual([]);
  expect(monitor.report('off', 'off-a')).toMatchObject({
    status: 'unknown',
    reason: 'the health check is off',
  });
  expect(monitor.report('udp', 'udp-a').reason).toContain('no TCP port');
  expect((await monitor.probeNow(off, off.domus[0])).status).toBe('unknown');
  expect((await monitor.probeNow(udp, udp.domus[0])).status).toBe('unknown');
  expect(tried).toEqual([]);
});

test('at most eight ports are tried, each once', async () => {
  const ports = Array.from({ length: 20 }, (_, i) => 9000 + Math.floor(i / 2));
  const many = {
    ...mailService(),
    ports: ports.map((from) => ({ protocol: 'tcp', from, to: from, target: null }) as const),
  };
  const { monitor, tried } = monitored([]);
  await monitor.probeNow(many, many.domus[0]);
  expect(tried).toHaveLength(16);
});

test('watching anew keeps what is known of the unchanged, and forgets the changed and the gone', async () => {
  const { clock, monitor, tried } = monitored([mailService('mail'), mailService('ldap'), mailService('www')]);
  await clock.turn(EVERY);
  const changed = {
    ...mailService('ldap'),
    ports: [{ protocol: 'tcp', from: 389, to: 389, target: null }],
  } as const;
  monitor.watch([changed, mailService('mail')]);
  expect(monitor.report('mail', 'mail-a').status).toBe('healthy');
  expect(monitor.report('ldap', 'ldap-a').status).toBe('unknown');
  expect(monitor.report('www', 'www-a').reason).toBe('not watched');
  tried.length = 0;
  await clock.turn(EVERY);
  // Of the healthy ones one port each, of the new ones all.
  expect(tried.filter((each) => !each.endsWith(' 389'))).toHaveLength(2);
  expect(new Set(tried.filter((each) => each.endsWith(' 389'))).size).toBe(4);
});

test('a probe that was under way when its DomU was replaced changes nothing', async () => {
  const clock = new HandClock();
  const waiting: ((outcome: string | null) => void)[] = [];
  const monitor = new HealthMonitor({
    clock,
    connect: () => new Promise((resolve) => waiting.push(resolve)),
  });
  releases.push(() => monitor.close());
  monitor.watch([mailService()]);
  await clock.turn(0);
  monitor.watch([]);
  for (const resolve of waiting) resolve(null);
  await clock.turn(EVERY);
  expect(monitor.report('mail', 'mail-a').reason).toBe('not watched');
  expect(clock.waiting).toBe(0);
});

test('at most 64 probes are under way, and all get their turn', async () => {
  let underWay = 0;
  let most = 0;
  let done = 0;
  const connect: Connect = async () => {
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
    done++;
    return null;
  };
  const monitor = new HealthMonitor({ clock: new HandClock(), connect });
  const services = Array.from({ length: 50 }, (_, i) => mailService(`s${i}`));
  await Promise.all(services.map((service) => monitor.probeNow(service, service.domus[0])));
  expect([most, done]).toEqual([64, 300]);
});

test('a listener that throws harms nobody, and one that has left is not called', async () => {
  const { clock, monitor, changes } = monitored();
  const left: string[] = [];
  monitor.onChange(() => {
    throw new Error('mine');
  });
  monitor.onChange((_service, domu) => left.push(domu))();
  await clock.turn(EVERY);
  await clock.turn(EVERY);
  expect([changes.length, left]).toEqual([2, []]);
});

test('close ends everything: no timer, no callback, and what is under way answers', async () => {
  const clock = new HandClock();
  const monitor = new HealthMonitor({ clock });
  const changes: string[] = [];
  monitor.onChange((_service, domu) => changes.push(domu));
  monitor.watch([mailService()]);
  const service: Service = {
    ...mailService(),
    domus: [
      { ...mailService().domus[0], addresses: [{ family: 4, text: '127.0.0.1' }] },
      mailService().domus[1],
    ],
    ports: [{ protocol: 'tcp', from: 9, to: 9, target: null }],
  };
  const probe = monitor.probeNow(service, service.domus[0]);
  monitor.close();
  expect((await probe).status).toBe('unknown');
  expect([clock.waiting, changes]).toEqual([0, []]);
});

async function listen(onConnection: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer(onConnection);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  releases.push(() => server.close());
  return (server.address() as net.AddressInfo).port;
}
const signal = new AbortController().signal;

test('a real connection is ended in good order, though the server had greeted', async () => {
  const ends: string[] = [];
  const port = await listen((socket) => {
    socket.write('220 mail ready\r\n');
    socket.on('end', () => ends.push('end')).on('error', (error) => ends.push(error.message));
  });
  const connect = tcpConnect(systemClock);
  expect(await connect({ host: '127.0.0.1', port }, { timeout: 1000, signal })).toBeNull();
  await vi.waitFor(() => expect(ends).toEqual(['end']));
});

test('a port that refuses, and an address without an answer, say so', async () => {
  const port = await listen(() => undefined);
  const server = releases.pop()!;
  await new Promise<void>((resolve) => {
    (server as () => net.Server)().on('close', resolve);
  });
  const connect = tcpConnect(systemClock);
  expect(await connect({ host: '127.0.0.1', port }, { timeout: 1000, signal })).toBe('connection refused');
  const clock = new HandClock();
  const silent = tcpConnect(clock)({ host: '127.0.0.1', port: 9 }, { timeout: 300, signal });
  await clock.turn(300);
  expect(['no answer within 300 ms', 'connection refused']).toContain(await silent);
});

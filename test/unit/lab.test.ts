import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseGreeting } from '../../src/lab/ask.ts';
import { configText, definitionOf } from '../../src/lab/config-file.ts';
import { sharedTmp } from '../../src/lab/directory.ts';
import { mergeLoads } from '../../src/lab/load.ts';
import { isLeftover, labName } from '../../src/lab/namespaces.ts';
import { startRelay } from '../../src/lab/relay.ts';
import { must, run } from '../../src/lab/run.ts';
import { Screen } from '../../src/lab/screen.ts';
import { missingTools, searchPath } from '../../src/lab/tools.ts';
import { MOST_SERVICES, labServices } from '../../src/lab/topology.ts';
import { wiringOf } from '../../src/lab/wiring.ts';
import { serviceDefinition } from '../../src/api/contract.ts';

describe('topology', () => {
  it('mail and ldap are those of the contract', () => {
    const [mail, ldap] = labServices(2);
    expect(mail).toMatchObject({ name: 'mail', ipv4: '192.0.2.25', ipv6: '2001:db8::25', bridge: 'br-mail' });
    expect(mail?.domus.map(({ ipv4, ipv6, vif }) => [ipv4, ipv6, vif])).toEqual([
      ['10.50.0.2', 'fd00:50::2', 'vif1.0'],
      ['10.50.0.3', 'fd00:50::3', 'vif2.0'],
    ]);
    expect(ldap).toMatchObject({ name: 'ldap', ipv4: '192.0.2.38', ipv6: '2001:db8::38' });
  });

  it('the most services that fit have no address, link or name in common', () => {
    const services = labServices(MOST_SERVICES);
    const taken = services.flatMap(({ name, bridge, ipv4, ipv6, gateway, domus }) => [
      ...[name, bridge, ipv4, ipv6, gateway.ipv4, gateway.ipv6],
      ...domus.flatMap((domu) => [domu.name, domu.ipv4, domu.ipv6, domu.vif]),
    ]);
    expect(new Set(taken).size).toBe(taken.length);
    expect(services.filter(({ bridge }) => bridge.length > 15)).toEqual([]);
    expect(services.at(-1)?.ipv4).toBe('192.0.2.249');
  });

  it.each([0, -1, 1.5, MOST_SERVICES + 1])('%d services are refused', (count) => {
    expect(() => labServices(count)).toThrow(RangeError);
  });
});

describe('wiring', () => {
  const wiring = wiringOf({ services: labServices(1), bridgeNetfilter: true, nameOf: (name) => `x-${name}` });

  it('no link has an end outside of the namespaces of the lab', () => {
    for (const line of wiring.links)
      expect(line).toMatch(/ netns x-\S+ type veth peer name \S+ netns x-\S+$/);
    expect(wiring.links).toHaveLength(1 + 5 + 2);
  });

  it('the vifs of the Dom0 are up and on no bridge', () => {
    const lines = wiring.inside.get('dom0') ?? [];
    expect(lines).toContain('link set dev vif1.0 up');
    expect(lines.filter((line) => line.includes('master') || line.includes('bridge'))).toEqual([]);
  });

  it('every namespace is configured, and none waits for duplicate addresses', () => {
    expect([...wiring.inside.keys()].sort()).toEqual([...wiring.namespaces].sort());
    for (const settings of wiring.sysctls.values())
      expect(settings).toContain('net.ipv6.conf.all.accept_dad=0');
    expect(wiring.sysctls.get('dom0')).toContain('net.bridge.bridge-nf-call-ip6tables=1');
  });
});

describe('configuration', () => {
  it('is what the contract shows', () => {
    const config = parse(configText(labServices(2), { directory: '/tmp/x' })) as Record<string, unknown>;
    expect(config).toMatchObject({
      listen: { socket: '/tmp/x/director.sock' },
      state: '/tmp/x/state',
      uplink: 'eth0',
      services: {
        mail: {
          addresses: ['192.0.2.25', '2001:db8::25'],
          ports: ['25/tcp', '993/tcp', '514/udp', '8000-8009/tcp', { port: '80/tcp', to: 8080 }],
          bridge: { name: 'br-mail', gateway: ['10.50.0.1/24', 'fd00:50::1/64'] },
          cutover: { connections: 'drain', drainFor: '5m', confirmWithin: '10m' },
        },
      },
    });
  });

  it('what is given goes over it', () => {
    const options = {
      directory: '/tmp/x',
      cutover: { confirmWithin: 'never' },
      service: { announce: false },
    };
    const { services } = parse(configText(labServices(1), options)) as {
      services: Record<string, { announce: boolean; cutover: unknown }>;
    };
    expect(services['mail']?.announce).toBe(false);
    expect(services['mail']?.cutover).toEqual({
      connections: 'drain',
      drainFor: '5m',
      confirmWithin: 'never',
    });
  });

  it('a definition is one that the API takes', () => {
    for (const service of labServices(3))
      expect(serviceDefinition.safeParse(definitionOf(service)).success).toBe(true);
  });
});

describe('what servers say', () => {
  it.each([
    ['mail-a 1.0 you are 2001:db8::1\n', { domu: 'mail-a', version: '1.0', seenSource: '2001:db8::1' }],
    ['mail-a 1.0\n', { domu: 'mail-a', version: '1.0', seenSource: null }],
    ['', null],
    ['220\n', null],
  ])('%j is understood', (text, said) => {
    expect(parseGreeting(text)).toEqual(said);
  });
});

describe('load', () => {
  it('of several processes is summed, and every worker keeps its order', () => {
    const one = { from: 5, to: 20, connections: 3, byDomu: { a: 2, b: 1 }, failures: { X: 1 }, slowest: 4 };
    const other = { from: 3, to: 10, connections: 1, byDomu: { a: 1 }, failures: { X: 1, Y: 1 }, slowest: 9 };
    const moved = [
      { at: 5, domu: 'a' },
      { at: 9, domu: 'b' },
    ];
    expect(
      mergeLoads([
        { ...one, workers: [moved] },
        { ...other, workers: [[], []] },
      ]),
    ).toEqual({
      ...{ from: 3, to: 20, connections: 4, slowest: 9 },
      ...{ byDomu: { a: 3, b: 1 }, failures: { X: 2, Y: 1 }, workers: [moved, [], []] },
    });
  });
});

describe('names', () => {
  it('of a living process are never taken for leftovers', () => {
    expect(isLeftover(`${labName()}-dom0`, 'd0d')).toBe(false);
    expect(isLeftover('d0d-1-abc-dom0', 'd0d')).toBe(false);
  });

  it('of a process that is gone are leftovers; those of others never', async () => {
    const gone = Number(await must(['sh', '-c', 'echo $$']));
    expect(isLeftover(`d0d-${gone}-abc-dom0`, 'd0d')).toBe(true);
    for (const name of [`e0d-${gone}-abc`, 'd0d-', 'd0d-x', 'd0d', 'mine', `xd0d-${gone}`]) {
      expect(isLeftover(name, 'd0d')).toBe(false);
    }
  });
});

describe('tools', () => {
  it('that are missing are named, and each package to install once', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tools-'));
    const there = ['ip', 'sysctl', 'unshare', 'setpriv', 'mount'];
    await Promise.all(there.map((tool) => writeFile(join(directory, tool), '', { mode: 0o755 })));
    await writeFile(join(directory, 'ipset'), 'not executable', { mode: 0o644 });
    expect(missingTools(['/nowhere', directory])).toEqual({
      tools: ['iptables', 'iptables-restore', 'ip6tables', 'ipset'],
      packages: ['iptables', 'ipset'],
    });
    await rm(directory, { recursive: true });
  });

  it("an ordinary user's PATH gets the administrator's directories behind its own", () => {
    expect(searchPath('/home/x/bin:/usr/bin')).toBe('/home/x/bin:/usr/bin:/usr/sbin:/sbin:/bin');
  });
});

describe('programs', () => {
  it('get their input, and their output and code are told', async () => {
    expect(await run(['sh', '-c', 'cat; echo bad >&2; exit 3'], { stdin: 'in' })).toEqual({
      ...{ stdout: 'in', stderr: 'bad\n', code: 3 },
    });
  });

  it('that take too long are killed with all that they started', async () => {
    expect((await run(['sh', '-c', 'sleep 60 & wait'], { timeout: 100 })).code).toBe(137);
  });

  it('that are aborted are killed', async () => {
    expect((await run(['sleep', '60'], { signal: AbortSignal.abort() })).code).toBe(137);
  });

  it('that cannot be started reject, and a failure says what the program said', async () => {
    await expect(run(['/nowhere/x'])).rejects.toThrow('"/nowhere/x" could not be started');
    await expect(must(['sh', '-c', 'echo why >&2; exit 2'])).rejects.toThrow(/ended with 2 and said: why/);
  });
});

describe('relay', () => {
  let directory: string;
  let daemon: Server;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'relay-'));
    daemon = createServer((socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => daemon.listen(join(directory, 's'), resolve));
  });
  afterEach(async () => {
    daemon.close();
    await rm(directory, { recursive: true });
  });

  it('hands on what is said, on the loopback address only, and takes the next port where one is taken', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    const { port } = blocker.address() as AddressInfo;
    const relay = await startRelay(port, join(directory, 's'));
    expect(relay.port).toBeGreaterThan(port);
    expect(await said(relay.port, 'hello')).toBe('hello');
    await relay.close();
    blocker.close();
  });

  it('closes a connection when there is no daemon', async () => {
    const relay = await startRelay(18_440, join(directory, 'none'));
    expect(await said(relay.port, 'hello')).toBe('');
    await relay.close();
  });
});

function said(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = createConnection(port, '127.0.0.1', () => socket.end(text));
    socket.on('data', (part) => (heard += part.toString()));
    socket.on('error', () => undefined).on('close', () => resolve(heard));
  });
}

describe('screen', () => {
  const show = (tty: boolean): string => {
    let text = '';
    const screen = new Screen({ tty, color: false, columns: 40 }, (part) => (text += part));
    screen.line('one');
    screen.status('now');
    screen.line('two');
    screen.end();
    return text;
  };

  it('has a status line below what stays, and removes it at the end', () => {
    expect(show(true)).toBe('one\nnow\r\u001b[2Ktwo\nnow\r\u001b[2K');
  });

  it('prints only what stays where it is no terminal', () => {
    expect(show(false)).toBe('one\ntwo\n');
  });
});

describe('directory', () => {
  it('is never under /run, which the lab hides', () => {
    expect([sharedTmp('/run/user/1000'), sharedTmp('/run'), sharedTmp('/var/tmp')]).toEqual([
      '/tmp',
      '/tmp',
      '/var/tmp',
    ]);
  });
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Service } from '../../src/model/service.ts';
import {
  configSchema,
  crossCheck,
  formatFaults,
  parseConfig,
  parseService,
  readConfig,
} from '../../src/config/index.ts';
import type { Config, ReadConfig } from '../../src/config/index.ts';

const RULES = new URL('../../rules/', import.meta.url);

/** The contract's example. */
const CONTRACT = `
listen:
  socket: /run/dom0-director/director.sock   # always on, mode 0660
  http: 127.0.0.1:8440                       # optional
state: /var/lib/dom0-director                # a directory: the embedded store
uplink: eth0                                 # where service addresses are announced
services:
  mail:                                      # ^[a-z][a-z0-9-]{0,15}$
    addresses: [192.0.2.25, "2001:db8::25"]
    announce: true                           # put the addresses on the uplink; false: they are routed here already
    ports: [25/tcp, 993/tcp, 514/udp, 8000-8009/tcp, {port: 80/tcp, to: 8080}]
    bridge: {name: br-mail, gateway: [10.50.0.1/24, "fd00:50::1/64"]}
    domus:                                   # exactly two; the first is primary when the service is new
      - {name: mail-a, addresses: [10.50.0.2, "fd00:50::2"], vifs: [vif1.0]}
      - {name: mail-b, addresses: [10.50.0.3, "fd00:50::3"], vifs: [vif2.0]}
    testers: [198.51.100.7, 203.0.113.0/24]  # permanent ones; leased ones come over the API
    admins: [10.9.0.0/24]                    # may always reach both DomUs directly
    cutover: {connections: drain, drainFor: 5m, confirmWithin: 10m}   # defaults for a switch
`;

function configOf(result: ReadConfig): Config {
  if ('faults' in result) throw new Error(formatFaults('director.yaml', result.faults));
  return result.config;
}

const WEB = {
  addresses: ['192.0.2.80'],
  ports: ['80/tcp'],
  bridge: { name: 'br-web', gateway: ['10.51.0.1/24'] },
  domus: [
    { name: 'web-a', addresses: ['10.51.0.2'] },
    { name: 'web-b', addresses: ['10.51.0.3'] },
  ],
};

function serviceOf(name: string, definition: unknown): Service {
  const result = parseService(name, definition);
  if ('faults' in result) throw new Error(formatFaults('definition', result.faults));
  return result.service;
}

describe('a configuration that is right', () => {
  test("is read as the contract's example says", () => {
    const config = configOf(parseConfig(CONTRACT, 'director.yaml'));
    expect(config).toMatchObject({
      file: 'director.yaml',
      listen: {
        socket: '/run/dom0-director/director.sock',
        http: { host: '127.0.0.1', port: 8440 },
        tls: null,
      },
      state: '/var/lib/dom0-director',
      uplink: 'eth0',
      iptables: 'auto',
      xen: 'auto',
      markMask: 0xffff0000,
      cpu: { meter: 'auto', interval: 1000 },
      tokens: [],
    });
    expect(config.services).toEqual([
      {
        name: 'mail',
        addresses: [
          { family: 4, text: '192.0.2.25' },
          { family: 6, text: '2001:db8::25' },
        ],
        announce: true,
        ports: [
          { protocol: 'tcp', from: 25, to: 25, target: null },
          { protocol: 'tcp', from: 993, to: 993, target: null },
          { protocol: 'udp', from: 514, to: 514, target: null },
          { protocol: 'tcp', from: 8000, to: 8009, target: null },
          { protocol: 'tcp', from: 80, to: 80, target: 8080 },
        ],
        bridge: {
          name: 'br-mail',
          gateway: [
            { family: 4, address: '10.50.0.1', prefix: 24 },
            { family: 6, address: 'fd00:50::1', prefix: 64 },
          ],
        },
        domus: [
          {
            name: 'mail-a',
            addresses: [
              { family: 4, text: '10.50.0.2' },
              { family: 6, text: 'fd00:50::2' },
            ],
            vifs: ['vif1.0'],
          },
          {
            name: 'mail-b',
            addresses: [
              { family: 4, text: '10.50.0.3' },
              { family: 6, text: 'fd00:50::3' },
            ],
            vifs: ['vif2.0'],
          },
        ],
        testers: [
          { family: 4, address: '198.51.100.7', prefix: 32 },
          { family: 4, address: '203.0.113.0', prefix: 24 },
        ],
        admins: [{ family: 4, address: '10.9.0.0', prefix: 24 }],
        cutover: { connections: 'drain', drainFor: 300_000, confirmWithin: 600_000 },
        quarantine: null,
        health: { check: 'tcp', every: 5_000, timeout: 1_000 },
        stage: null,
      },
    ]);
  });

  test('has defaults for everything that may be left out', () => {
    expect(configOf(parseConfig('services: {}', 'd.yaml'))).toEqual({
      file: 'd.yaml',
      listen: {
        socket: '/run/dom0-director/director.sock',
        http: null,
        tls: null,
        names: [],
        trustedProxies: [],
      },
      qa: null,
      state: '/var/lib/dom0-director',
      uplink: null,
      iptables: 'auto',
      xen: 'auto',
      journalKeep: 400 * 86_400_000,
      markMask: 0xffff0000,
      cpu: { meter: 'auto', interval: 1000 },
      tokens: [],
      services: [],
    });
    expect(configOf(parseConfig('state: /srv/director', 'd.yaml')).services).toEqual([]);
    expect(serviceOf('web', WEB)).toMatchObject({
      announce: true,
      testers: [],
      admins: [],
      cutover: { connections: 'drain', drainFor: null, confirmWithin: 600_000 },
      health: { check: 'tcp', every: 5_000, timeout: 1_000 },
      domus: [{ vifs: [] }, { vifs: [] }],
    });
  });

  test.each([
    ['127.0.0.9:80', '127.0.0.9'],
    ['localhost:80', 'localhost'],
    ['"[0::1]:80"', '::1'],
  ])('needs no tls on loopback: %s', (http, host) => {
    expect(configOf(parseConfig(`listen: {http: ${http}}`, 'd.yaml')).listen.http).toEqual({
      host,
      port: 80,
    });
  });

  test('may listen beyond loopback with tls', () => {
    const text = 'listen: {http: "[::]:8440", tls: {cert: /etc/cert.pem, key: /etc/key.pem}}';
    const { http, tls } = configOf(parseConfig(text, 'd.yaml')).listen;
    expect(http).toEqual({ host: '::', port: 8440 });
    expect(tls).toEqual({ cert: '/etc/cert.pem', key: '/etc/key.pem' });
  });

  test("allows a socket's path of 107 bytes, which is what the kernel takes", () => {
    const socket = `/${'x'.repeat(106)}`;
    expect(configOf(parseConfig(`listen: {socket: ${socket}}`, 'd.yaml')).listen.socket).toBe(socket);
  });

  test('may say never, and a port that is its own target is no shift', () => {
    const service = serviceOf('web', {
      ...WEB,
      ports: [
        { port: '80/tcp', to: 80 },
        { port: '1-100/udp', to: 1001 },
      ],
      cutover: { confirmWithin: 'never', drainFor: 'never', connections: 'cut' },
    });
    expect(service.ports.map(({ target }) => target)).toEqual([null, 1001]);
    expect(service.cutover).toEqual({ connections: 'cut', drainFor: null, confirmWithin: null });
  });

  test('is frozen all the way down', () => {
    const config = configOf(parseConfig(CONTRACT, 'd.yaml'));
    for (const part of [config, config.listen, config.services, config.services[0]!.domus[0].addresses[0]]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(Object.isFrozen(serviceOf('web', WEB).ports)).toBe(true);
  });

  test('lets two services share an address on different ports and protocols', () => {
    const other = serviceOf('other', {
      ...WEB,
      ports: ['81/tcp', '80/udp'],
      bridge: { name: 'br-other', gateway: ['10.52.0.1/24'] },
      domus: [
        { name: 'other-a', addresses: ['10.52.0.2'] },
        { name: 'other-b', addresses: ['10.52.0.3'] },
      ],
    });
    expect(crossCheck([serviceOf('web', WEB), other], { uplink: 'eth0', markMask: 0xffff0000 })).toEqual([]);
  });
});

describe('a definition over the API', () => {
  test('is held to the same checks, with paths and without lines', () => {
    const result = parseService('web', { ...WEB, ports: [80], admin: [], addresses: ['10.51.0.9'] });
    expect(result).toEqual({
      faults: [
        { path: 'services.web.ports[0]', message: '80 needs its protocol; write 80/tcp or 80/udp' },
        { path: 'services.web.admin', message: '"admin" is not known here; did you mean "admins"?' },
        {
          path: 'services.web.addresses[0]',
          message: "10.51.0.9 lies in the bridge's network (10.51.0.1/24); write one outside of it",
        },
      ],
    });
  });

  test.each([[null], [undefined], ['web'], [[WEB]], [3]])('that is no mapping is one fault: %j', (body) => {
    const result = parseService('web', body);
    expect(result).toMatchObject({ faults: [{ path: 'services.web' }] });
  });

  test('cannot reach the prototype of anything', () => {
    const body: unknown = JSON.parse(`{"__proto__": {"addresses": ["192.0.2.1"]}, "constructor": 1}`);
    const result = parseService('__proto__', body);
    expect(result).toMatchObject({ faults: expect.any(Array) as unknown });
    expect(({} as Record<string, unknown>)['addresses']).toBeUndefined();
  });

  test('that collides with another service is told by crossCheck, also without the host', () => {
    const web = serviceOf('web', WEB);
    const faults = crossCheck([web, serviceOf('copy', WEB)]);
    expect(faults.map(({ path }) => path).sort()).toEqual([
      'services.copy.bridge.gateway[0]',
      'services.copy.bridge.name',
      'services.copy.domus[0].addresses[0]',
      'services.copy.domus[0].name',
      'services.copy.domus[1].addresses[0]',
      'services.copy.domus[1].name',
      'services.copy.ports[0]',
    ]);
    expect(crossCheck([web], { uplink: null })).toMatchObject([{ path: 'uplink' }]);
  });
});

describe('a file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'director-config-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('is read by its name', async () => {
    const file = join(folder, 'director.yaml');
    await writeFile(file, CONTRACT);
    expect(configOf(await readConfig(file)).file).toBe(file);
  });

  test('that cannot be read is a fault, and says why', async () => {
    const latin1 = join(folder, 'latin1.yaml');
    await writeFile(latin1, Buffer.from('# caf\xe9\nservices: {}\n', 'latin1'));
    for (const [file, message] of [
      [join(folder, 'absent.yaml'), 'there is no such file'],
      [folder, 'it is a directory'],
      [latin1, 'it is not text in UTF-8'],
    ] as const) {
      const result = await readConfig(file);
      expect(result).toEqual({
        faults: [{ path: '', message: expect.stringContaining(message) as unknown }],
      });
    }
  });
});

test('faults are printed as file:line:column: path: message, in the order of the file', () => {
  const printed = formatFaults('d.yaml', [
    { path: 'services.b', message: 'is wrong', line: 12, column: 3 },
    { path: 'uplink', message: 'is missing', line: 2, column: 1 },
    { path: '', message: 'cannot be read' },
  ]);
  expect(printed.split('\n')).toEqual([
    'd.yaml: cannot be read',
    'd.yaml:2:1: uplink: is missing',
    'd.yaml:12:3: services.b: is wrong',
  ]);
});

test('the example that is shipped is right, and has two services in both families', async () => {
  const config = configOf(parseConfig(await readFile(new URL('director.example.yaml', RULES), 'utf8'), 'e'));
  expect(config.services).toHaveLength(2);
  for (const { addresses } of config.services) {
    expect(addresses.map(({ family }) => family)).toEqual([4, 6]);
  }
});

test("the editors' schema that is shipped is what the configuration is read with", async () => {
  const file = new URL('config.schema.json', RULES);
  const options = (await resolveConfig(file)) ?? {};
  const text = await format(JSON.stringify(configSchema()), { ...options, parser: 'json' });
  await expect(text).toMatchFileSnapshot(file.pathname);
});

test('who may enrol themselves, proxies on this host, and names of the page', () => {
  const text = 'listen: {names: [dom0], trustedProxies: [127.0.0.1, "::1"]}\nqa: {from: [10.20.0.0/16]}';
  const { listen, qa } = configOf(parseConfig(text, 'd.yaml'));
  expect(listen).toMatchObject({
    names: ['dom0'],
    trustedProxies: [{ address: '127.0.0.1' }, { address: '::1' }],
  });
  expect(qa).toEqual({ enrol: 28_800_000, from: [{ family: 4, address: '10.20.0.0', prefix: 16 }] });
});

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JournalEntry, ServiceView } from '../../src/api/contract.ts';
import { labServices } from '../../src/lab/topology.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Metrics } from './support/metrics.ts';
import { xenTools } from './support/xen-tools.ts';
import type { ToldDomain } from './support/xen-tools.ts';

const SOON = { timeout: 20_000, interval: 50 };

/** A service of guests that nobody starts: all that there is of them is their interfaces. */
const guests = (a: object, b: object): object => ({
  addresses: ['192.0.2.77'],
  ports: ['80/tcp'],
  bridge: { name: 'br-web', gateway: ['10.77.0.1/24'] },
  domus: [
    { name: 'web-a', addresses: ['10.77.0.2'], ...a },
    { name: 'web-b', addresses: ['10.77.0.3'], ...b },
  ],
  health: { check: 'off' },
});

let directed: DirectedWorld;

const ip = (...argv: string[]): Promise<string> => directed.world.must('dom0', ['ip', ...argv]);
const api = (method: string, path: string, body?: unknown): ReturnType<typeof directed.daemon.call> =>
  directed.daemon.call(method, path, body);

/** The bridge that an interface is on, and whether it is up; `gone` where there is no such interface. */
async function place(link: string): Promise<string> {
  const { code, stdout } = await directed.world.exec('dom0', ['ip', '-j', 'link', 'show', 'dev', link]);
  if (code !== 0) return 'gone';
  const [found] = JSON.parse(stdout) as { master?: string; flags: string[] }[];
  return `${found?.master ?? 'no bridge'}, ${found?.flags.includes('UP') === true ? 'up' : 'down'}`;
}

const isPlaced = (link: string, where: string): Promise<void> =>
  vi.waitFor(async () => expect(await place(link)).toBe(where), SOON);

async function define(a: object, b: object): Promise<void> {
  const { status, body } = await api('PUT', '/v1/services/web', guests(a, b));
  expect([200, 201], JSON.stringify(body)).toContain(status);
}

describe('guests of another hypervisor, known by the names of their taps', () => {
  beforeAll(async () => {
    directed = await directedWorld({ services: 1 });
    await define({ vifs: ['tap-web-a'] }, { vifs: ['tap-web-b'] });
  }, 60_000);
  afterAll(() => directed.end());

  it('the log says that there is no Xen, and nothing else is said of it', async () => {
    const log = await readFile(directed.daemon.logFile, 'utf8');
    expect(log).toContain('DomUs are known by their interfaces alone: this host does not run under Xen');
    const { primary } = await directed.daemon.service('web');
    expect(primary.domain).toBeNull();
    expect((await directed.director('status', 'web')).stdout).not.toContain('domain');
    const labels = { service: 'web', role: 'primary', domu: 'web-a', state: 'absent' };
    expect((await Metrics.of(directed.daemon.socket)).value('domu_state', labels)).toBeNull();
  });

  it('are put on the bridge when they appear, when they come back, and wherever somebody else puts them', async () => {
    await ip('link', 'add', 'virbr0', 'type', 'bridge');
    for (const tap of ['tap-web-a', 'tap-web-b']) {
      await ip('tuntap', 'add', 'dev', tap, 'mode', 'tap');
      await isPlaced(tap, 'br-web, up');
    }
    await ip('link', 'set', 'tap-web-b', 'master', 'virbr0');
    await isPlaced('tap-web-b', 'br-web, up');
    await ip('tuntap', 'del', 'dev', 'tap-web-b', 'mode', 'tap');
    await isPlaced('tap-web-b', 'gone');
    await ip('tuntap', 'add', 'dev', 'tap-web-b', 'mode', 'tap');
    await ip('link', 'set', 'tap-web-b', 'master', 'virbr0');
    await isPlaced('tap-web-b', 'br-web, up');
    expect(await place('tap-web-a')).toBe('br-web, up');
  });
});

describe('guests of Xen', () => {
  const MAC = '00:16:3e:77:00:0b';
  let xen: Awaited<ReturnType<typeof xenTools>>;
  /** Those that the lab plays itself. */
  const others = labServices(1).flatMap(({ domus }) =>
    domus.map(({ name, vif }): ToldDomain => ({ name, domid: Number(/\d+/.exec(vif)?.[0]) })),
  );
  const tell = (...domains: readonly ToldDomain[]): void => xen.tell([...others, ...domains]);
  const a: ToldDomain = { name: 'web-a', domid: 11 };

  beforeAll(async () => {
    xen = await xenTools();
    tell(a);
    directed = await directedWorld({ services: 1 });
    await define({ vifs: ['vif11.0'] }, { macs: [MAC] });
    await ip('link', 'add', 'xenbr0', 'type', 'bridge');
  }, 60_000);
  afterAll(async () => {
    await directed.end();
    await xen.end();
  });

  /** As netback makes it. */
  async function vif(domid: number): Promise<void> {
    await ip('tuntap', 'add', 'dev', `vif${domid}.0`, 'mode', 'tap');
    await ip('link', 'set', `vif${domid}.0`, 'address', 'fe:ff:ff:ff:ff:ff');
  }

  const seat = async (name: string): Promise<ServiceView['primary']> => {
    const { primary, secondary } = await directed.daemon.service('web');
    return primary.domu === name ? primary : secondary;
  };
  const stateOf = async (name: string): Promise<unknown> => {
    const { domain } = await seat(name);
    return domain === null ? null : [domain.state, domain.domid];
  };

  it("a vif is the script's until that is done, and then is put on the right bridge, whatever its number", async () => {
    let seen = -1;
    for (const domid of [12, 47]) {
      await vif(domid);
      tell(a, { name: 'web-b', domid, mac: MAC, flags: '--p---', hotplug: '' });
      await vi.waitFor(async () => expect(await stateOf('web-b')).toEqual(['paused', domid]), SOON);
      expect(await place(`vif${domid}.0`)).toBe('no bridge, down');
      await ip('link', 'set', `vif${domid}.0`, 'master', 'xenbr0');
      tell(a, { name: 'web-b', domid, mac: MAC });
      await isPlaced(`vif${domid}.0`, 'br-web, up');
      expect(await stateOf('web-b')).toEqual(['running', domid]);
      if (seen !== -1) expect(await place(`vif${seen}.0`)).toBe('gone');
      await ip('link', 'del', `vif${domid}.0`);
      seen = domid;
    }
  });

  it("a number that is another guest's by now stays on that guest's bridge", async () => {
    tell({ name: 'other', domid: 11 }, { name: 'web-a', domid: 48, mac: '00:16:3e:77:00:0a' });
    await vi.waitFor(async () => expect(await stateOf('web-a')).toEqual(['running', 48]), SOON);
    await vif(11);
    await ip('link', 'set', 'vif11.0', 'master', 'xenbr0', 'up');
    await vif(48);
    await isPlaced('vif48.0', 'br-web, up');
    expect(await place('vif11.0')).toBe('xenbr0, up');
  });

  it('a guest that crashes or goes is shown, told, measured, and no target', async () => {
    tell(a, { name: 'web-b', domid: 49, mac: MAC });
    await vi.waitFor(async () => expect(await stateOf('web-b')).toEqual(['running', 49]), SOON);
    tell(a, { name: 'web-b', domid: 49, mac: MAC, flags: '---sc-' });
    await vi.waitFor(async () => expect(await stateOf('web-b')).toEqual(['crashed', 49]), SOON);
    expect(await seat('web-b')).toMatchObject({
      health: 'unhealthy',
      healthReason: 'domain web-b (49) has crashed',
    });
    const status = await directed.director('status', 'web');
    expect(status.stdout).toMatch(/web-b \(secondary\), unhealthy.*\n.*\n\s+domain web-b \(49\), crashed/);
    const refused = await directed.director('switch', 'web', '--to', 'secondary');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('web-b of web is not healthy: domain web-b (49) has crashed');
    const metrics = await Metrics.of(directed.daemon.socket);
    const labels = { service: 'web', role: 'secondary', domu: 'web-b' };
    expect(metrics.value('domu_state', { ...labels, state: 'crashed' })).toBe(1);
    expect(metrics.value('domu_state', { ...labels, state: 'running' })).toBe(0);
    expect(metrics.value('domu_healthy', labels)).toBe(0);
    tell(a);
    await vi.waitFor(async () => expect(await stateOf('web-b')).toEqual(['absent', null]), SOON);
    await vi.waitFor(async () => {
      const entries = (await api('GET', '/v1/journal?service=web')).body as JournalEntry[];
      expect(entries.filter(({ kind }) => kind === 'domu').map(({ text }) => text)).toEqual(
        expect.arrayContaining([
          'web-b of web has crashed (domain 49)',
          'web-b of web is gone: Xen has no domain web-b any more, it was domain 49 before',
        ]),
      );
    }, SOON);
    const forced = await directed.director('switch', 'web', '--to', 'secondary', '--force');
    expect(forced.code, forced.stderr).toBe(0);
    expect((await directed.director('rollback', 'web')).code).toBe(0);
  });
});

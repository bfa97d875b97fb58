import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CpuView } from '../../src/api/contract.ts';
import { callApi } from '../../src/lab/api.ts';
import { must } from '../../src/lab/run.ts';
import { median } from '../bench/figures.ts';
import { Load } from '../bench/load.ts';
import { measurements, metered, settled, toldOf } from '../bench/metered.ts';
import { BenchNetwork, SERVICES } from '../bench/network.ts';
import { DIRECTOR } from './support/scripts.ts';

const [MAIL, LDAP] = SERVICES;
/** Often, so that little work is enough to be measured. */
const INTERVAL = '200ms';

let network: BenchNetwork;
let load: Load;
beforeAll(async () => {
  network = await BenchNetwork.create();
  load = await Load.build(network);
});
afterAll(() => network.destroy());

const flowsOf = (view: CpuView, service: string): CpuView['flows'] =>
  view.flows.filter((flow) => flow.service === service);

describe('windows', () => {
  beforeAll(() => network.direct({ meter: 'auto', interval: INTERVAL }));

  test('is what auto comes to here, and needs no excuse', async () => {
    expect(await network.cpu()).toMatchObject({ mode: 'windows', forced: false, why: '' });
  });

  test('every packet is counted, and charged to the service that it was for', async () => {
    const quiet = toldOf(await settled(network, LDAP), LDAP);
    // Within: no packet more or less than the vif's own counters. Until a window has met the work: they keep a distance.
    let told = await metered(network, MAIL, () => load.routed('udp', 29_952, MAIL));
    for (let more = 0; more < 20 && told.samples === 0; more++)
      told = await metered(network, MAIL, () => load.routed('udp', 29_952, MAIL));
    expect(told.packets).toBeGreaterThanOrEqual(29_952);
    expect(told.samples).toBeGreaterThan(0);
    expect(told.overhead).toBeGreaterThan(0);
    const other = toldOf(await settled(network, LDAP), LDAP);
    expect(other.packets - quiet.packets).toBeLessThan(100);
    expect(other.overhead - quiet.overhead).toBeLessThan(told.overhead / 20);
  });

  test('network softirqs are timed, and come to what the clock ticks make of softirqs', async () => {
    const before = (await settled(network, MAIL)).softirq;
    await metered(network, MAIL, () => load.routed('udp', 60_000, MAIL));
    const { tickSeconds, exactSeconds, whyNotExact } = (await settled(network, MAIL)).softirq;
    expect(whyNotExact).toBe('');
    const exact = (exactSeconds ?? NaN) - (before.exactSeconds ?? 0);
    // Of all softirqs, sampled a hundred times a second; here nearly all are the network's.
    expect(exact / (tickSeconds - before.tickSeconds)).toBeGreaterThan(0.4);
    expect(exact / (tickSeconds - before.tickSeconds)).toBeLessThan(2.5);
  });

  test('the overhead is within a quarter of what the processes took more', async () => {
    const truths: number[] = [];
    const overheads: number[] = [];
    for (let round = 0; round < 5; round++) {
      const bridged = (await load.bridged('rr', 12_000)).cpu;
      let routed = NaN;
      const told = await metered(network, MAIL, async () => {
        routed = (await load.routed('rr', 12_000, MAIL)).cpu;
      });
      truths.push(routed - bridged);
      overheads.push(told.overhead);
    }
    const ratio = median(overheads) / median(truths);
    expect(ratio).toBeGreaterThan(0.75);
    expect(ratio).toBeLessThan(1.25);
  });

  test('a plain bridge is measured anew when asked for', async () => {
    const before = Date.now();
    const { status, body } = await callApi(network.socket, 'POST', '/v1/cpu/calibrate');
    expect(status).toBe(200);
    expect(body).toMatchObject({ measured: true });
    const { baseline } = await network.cpu();
    expect(Date.parse(baseline?.measuredAt ?? '')).toBeGreaterThanOrEqual(before - 1000);
    expect(baseline?.smallNanos).toBeGreaterThan(0);
    expect(baseline?.bulkNanos).toBeGreaterThan(0);
  });

  test('a vif that appears is measured from its first packet, and one that goes harms nobody', async () => {
    const vif = MAIL.vifs[1];
    const unmeasured = async (): Promise<readonly string[]> =>
      (await network.cpu()).unmeasured.map(({ domu, why }) => `${domu}: ${why}`);
    const absent = 'mail-b: its vifs are not on this host now';
    expect(await unmeasured()).toContain(absent);
    const peer = ['peer', 'name', 'eth2', 'netns', network.ns('mail')];
    await network.must('dom0', ['ip', 'link', 'add', 'name', vif, 'type', 'veth', ...peer]);
    await network.must('mail', ['ip', 'link', 'set', 'dev', 'eth2', 'up']);
    await network.must('dom0', ['ip', 'link', 'set', 'dev', vif, 'up']);
    await network.until(async () => {
      const told = sent(await network.cpu(), 'mail-b');
      return told > 0 && told === (await carried(vif));
    });
    expect(await unmeasured()).not.toContain(absent);
    await network.must('dom0', ['ip', 'link', 'delete', vif]);
    await measurements(network, 3);
    expect(await unmeasured()).toContain(absent);
    const view = await network.cpu();
    expect(view).toMatchObject({ mode: 'windows', why: '' });
    expect(view.probe.failures).toBe(0);
  });

  test('a helper that is killed is started again, and told of', async () => {
    const helper = await helperPid();
    process.kill(helper, 'SIGKILL');
    await network.until(async () => (await network.cpu()).probe.failures > 0);
    await network.until(async () => {
      const pid = await helperPid();
      return pid > 0 && pid !== helper && (await network.cpu()).mode === 'windows';
    });
    expect(await network.log()).toContain('the helper ended (SIGKILL)');
    expect((await callApi(network.socket, 'GET', '/readyz')).status).toBe(200);
  });

  const sent = (view: CpuView, domu: string): number =>
    flowsOf(view, 'mail')
      .filter((flow) => flow.domu === domu)
      .reduce((sum, { packets }) => sum + packets, 0);

  async function carried(vif: string): Promise<number> {
    const text = await network.must('dom0', ['ip', '-j', '-s', 'link', 'show', 'dev', vif]);
    const [link] = JSON.parse(text) as [{ stats64: { rx: { packets: number }; tx: { packets: number } } }];
    return link.stats64.rx.packets + link.stats64.tx.packets;
  }

  async function helperPid(): Promise<number> {
    const text = await must(['ps', '-o', 'pid=,args=', '--ppid', String(network.daemon.pid)]);
    return Number(/^\s*(\d+) \S*meter hooks/m.exec(text)?.[1]);
  }
});

test('always times every packet', async () => {
  await network.direct({ meter: 'always', interval: INTERVAL });
  expect(await network.cpu()).toMatchObject({ mode: 'always', forced: true, why: '' });
  const before = toldOf(await settled(network, MAIL), MAIL);
  await load.routed('rr', 1920, MAIL);
  await settled(network, MAIL);
  // What was timed is read before the links are: the last packets may be of the next measurement.
  await measurements(network, 1);
  const view = await network.cpu();
  const after = toldOf(view, MAIL);
  const samples = after.samples - before.samples;
  expect(samples + view.probe.clipped).toBeGreaterThanOrEqual(2 * 1920);
  // The host's own packets, such as its ARP, are counted and not timed.
  expect(samples).toBeLessThanOrEqual(after.packets - before.packets);
});

test('the sampler shares out what it has seen by packets', async () => {
  await network.direct({ meter: 'sampler', interval: INTERVAL });
  expect(await network.cpu()).toMatchObject({ mode: 'sampler', forced: true });
  const told = await metered(network, MAIL, () => load.routed('udp', 60_000, MAIL));
  expect(told.overhead).toBeGreaterThan(0);
  expect(told.cpu).toBeGreaterThanOrEqual(told.overhead);
});

test('where BPF and perf are refused the model is taken, and both are said', async () => {
  const bounded = ['setpriv', '--bounding-set', '-sys_admin,-bpf,-perfmon', ...DIRECTOR];
  await network.direct({ meter: 'auto', interval: INTERVAL }, bounded);
  const view = await network.cpu();
  expect(view).toMatchObject({ mode: 'model', forced: false });
  expect(view.why).toMatch(/windows: .*not permitted; sampler: /);
  expect(view.softirq.exactSeconds).toBeNull();
  expect(view.softirq.whyNotExact).toContain('windows');
  expect(view.baseline).toMatchObject({ measured: false });
  const told = await metered(network, MAIL, () => load.routed('rr', 1000, MAIL));
  expect(told.overhead).toBeGreaterThan(0);
});

test('where the package has no helper the model is taken, and the build is told of', async () => {
  const root = new URL('../..', import.meta.url).pathname;
  await must(['cp', '-r', `${root}dist`, `${root}rules`, `${root}package.json`, `${network.directory}/`]);
  await must(['ln', '-s', `${root}node_modules`, `${network.directory}/node_modules`]);
  await rm(`${network.directory}/dist/native`, { recursive: true });
  await network.direct({ meter: 'windows', interval: INTERVAL }, [
    process.execPath,
    `${network.directory}/dist/main.js`,
  ]);
  const view = await network.cpu();
  expect(view).toMatchObject({ mode: 'model', forced: false });
  expect(view.why).toContain('npm run build');
});

test('off measures nothing and refuses to calibrate', async () => {
  await network.direct({ meter: 'off' });
  expect(await network.cpu()).toMatchObject({ mode: 'off', flows: [], baseline: null });
  expect((await callApi(network.socket, 'POST', '/v1/cpu/calibrate')).status).toBe(422);
});

import { expect, test } from 'vitest';
import { fault, ok } from '../../src/doctor/finding.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import type { CpuReport } from '../../src/meter/report.ts';
import type { MetricsSnapshot, ServiceMetrics } from '../../src/metrics/snapshot.ts';
import { CountedTurns } from './support/counted-turns.ts';

const service = (name: string, change: Partial<ServiceMetrics> = {}): ServiceMetrics => ({
  name,
  live: 'primary',
  trial: false,
  trialDeadline: null,
  testing: true,
  held: false,
  testers: 2,
  oldestTester: 1_767_323_045_000,
  misdirected: 0,
  draining: { domu: `${name}-b`, flows: 0 },
  drainUntil: null,
  marked: new Map([['switch', 1_767_323_045_250]]),
  domus: [
    {
      domu: `${name}-a`,
      role: 'primary',
      healthy: true,
      domain: null,
      flows: 12,
      in: { packets: 5, bytes: 500 },
      out: { packets: 4, bytes: 4000 },
      opened: 3,
      resets: 1,
      refused: 0,
    },
    {
      domu: `${name}-b`,
      role: 'secondary',
      healthy: null,
      domain: null,
      flows: 0,
      in: null,
      out: null,
      opened: null,
      resets: null,
      refused: null,
    },
  ],
  ...change,
});

const metricsOf = (snapshot: Partial<MetricsSnapshot>) => {
  const whole: MetricsSnapshot = {
    ready: true,
    writable: true,
    conntrack: null,
    xenAnswers: null,
    doctor: null,
    services: [],
    cpu: null,
    ...snapshot,
  };
  return new Metrics({ version: '1.2.3', snapshot: () => Promise.resolve(whole) });
};
const lines = async (metrics: Metrics, prefix = 'dom0_director_') =>
  Buffer.concat((await metrics.render()).parts)
    .toString()
    .split('\n')
    .filter((line) => line.startsWith(prefix));

test('each service has its series, and those that mean nothing now are absent', async () => {
  const metrics = metricsOf({ ready: true, services: [service('mail')] });
  const about = (await lines(metrics)).filter((line) => line.includes('mail'));
  expect(about).toEqual([
    'dom0_director_service_live{service="mail",role="primary"} 1',
    'dom0_director_service_live{service="mail",role="secondary"} 0',
    'dom0_director_service_trial{service="mail"} 0',
    'dom0_director_service_testing_open{service="mail"} 1',
    'dom0_director_service_held{service="mail"} 0',
    'dom0_director_testers{service="mail"} 2',
    'dom0_director_oldest_tester_timestamp_seconds{service="mail"} 1767323045',
    'dom0_director_misdirected_connections_total{service="mail"} 0',
    'dom0_director_draining_flows{service="mail",domu="mail-b"} 0',
    'dom0_director_service_event_timestamp_seconds{service="mail",kind="switch"} 1767323045.25',
    'dom0_director_flows{service="mail",role="primary",domu="mail-a"} 12',
    'dom0_director_flows{service="mail",role="secondary",domu="mail-b"} 0',
    'dom0_director_domu_healthy{service="mail",role="primary",domu="mail-a"} 1',
    'dom0_director_packets_total{service="mail",role="primary",domu="mail-a",direction="in"} 5',
    'dom0_director_packets_total{service="mail",role="primary",domu="mail-a",direction="out"} 4',
    'dom0_director_bytes_total{service="mail",role="primary",domu="mail-a",direction="in"} 500',
    'dom0_director_bytes_total{service="mail",role="primary",domu="mail-a",direction="out"} 4000',
    'dom0_director_connections_total{service="mail",role="primary",domu="mail-a"} 3',
    'dom0_director_resets_total{service="mail",role="primary",domu="mail-a"} 1',
    'dom0_director_dark_refused_packets_total{service="mail",role="primary",domu="mail-a"} 0',
  ]);
});

test('what the doctor found is counted by check and grade, with zeros where there is nothing', async () => {
  const doctor = [
    { check: 'links', ...fault('vif1.0 is on xenbr0', '') },
    { check: 'links', ...fault('vif2.0 is on xenbr0', '') },
    { check: 'mtu', ...ok('fine') },
  ] as const;
  expect((await lines(metricsOf({ doctor }))).filter((line) => line.includes('doctor'))).toEqual([
    'dom0_director_doctor_findings{check="links",grade="ok"} 0',
    'dom0_director_doctor_findings{check="links",grade="warning"} 0',
    'dom0_director_doctor_findings{check="links",grade="unknown"} 0',
    'dom0_director_doctor_findings{check="links",grade="fault"} 2',
    'dom0_director_doctor_findings{check="mtu",grade="ok"} 1',
    'dom0_director_doctor_findings{check="mtu",grade="warning"} 0',
    'dom0_director_doctor_findings{check="mtu",grade="unknown"} 0',
    'dom0_director_doctor_findings{check="mtu",grade="fault"} 0',
  ]);
  expect((await lines(metricsOf({}))).filter((line) => line.includes('doctor'))).toEqual([]);
});

test("each of Xen's states is 1 or 0 of a DomU, and nothing is said where Xen says nothing", async () => {
  const [a, b] = service('mail').domus;
  const crashed = { name: 'mail-a', state: 'crashed', domid: 7, since: null } as const;
  const silent = { name: 'mail-b', state: 'unknown', domid: 8, since: null } as const;
  const domus = [
    { ...a!, domain: crashed },
    { ...b!, domain: silent },
  ];
  const text = await lines(metricsOf({ xenAnswers: false, services: [service('mail', { domus })] }));
  const labels = 'service="mail",role="primary",domu="mail-a"';
  expect(text.filter((line) => line.includes('domu_state') || line.includes('domain_id'))).toEqual([
    `dom0_director_domu_state{${labels},state="running"} 0`,
    `dom0_director_domu_state{${labels},state="paused"} 0`,
    `dom0_director_domu_state{${labels},state="crashed"} 1`,
    `dom0_director_domu_state{${labels},state="shutdown"} 0`,
    `dom0_director_domu_state{${labels},state="absent"} 0`,
    `dom0_director_domu_domain_id{${labels}} 7`,
  ]);
  expect(text).toContain('dom0_director_xen_answers 0');
  expect((await lines(metricsOf({}))).join()).not.toContain('xen_answers');
});

test('a trial shows its deadline in seconds, and one without a deadline shows none', async () => {
  const trial = service('mail', { live: 'secondary', trial: true, trialDeadline: 1_767_323_045_500 });
  const never = service('ldap', { trial: true });
  const text = await lines(metricsOf({ ready: false, services: [trial, never] }));
  expect(text).toContain('dom0_director_trial_deadline_seconds{service="mail"} 1767323045.5');
  expect(text.filter((line) => line.includes('trial_deadline'))).toHaveLength(1);
  expect(text).toContain('dom0_director_service_live{service="mail",role="secondary"} 1');
  expect(text).toContain('dom0_director_service_trial{service="ldap"} 1');
  expect(text).toContain('dom0_director_ready 0');
});

test('what happens is counted, in base units', async () => {
  const metrics = metricsOf({ ready: true, services: [] });
  metrics.switchEnded('trial');
  metrics.switchEnded('rolled_back');
  metrics.flipped(15);
  metrics.reconciled(0.25);
  metrics.reconcileFailed();
  metrics.repaired('rules');
  metrics.journalled('switch');
  metrics.rolledBack('deadline');
  metrics.held('switch');
  metrics.asItShouldBe(1_767_323_045_500);
  const text = await lines(metrics);
  expect(text).toEqual(
    expect.arrayContaining([
      'dom0_director_switches_total{outcome="trial"} 1',
      'dom0_director_switches_total{outcome="rolled_back"} 1',
      'dom0_director_switches_total{outcome="expired"} 0',
      'dom0_director_switch_flip_seconds_bucket{le="0.00002"} 1',
      'dom0_director_switch_flip_seconds_bucket{le="0.00001"} 0',
      'dom0_director_reconcile_seconds_sum 0.25',
      'dom0_director_reconcile_errors_total 1',
      'dom0_director_repairs_total{kind="rules"} 1',
      'dom0_director_repairs_total{kind="sysctl"} 0',
      'dom0_director_journal_entries_total{kind="switch"} 1',
      'dom0_director_rollbacks_total{cause="deadline"} 1',
      'dom0_director_rollbacks_total{cause="asked"} 0',
      'dom0_director_holds_total{cause="switch"} 1',
      'dom0_director_reconcile_last_success_timestamp_seconds 1767323045.5',
    ]),
  );
  expect(text.find((line) => line.includes('build_info'))).toBe(
    `dom0_director_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
  );
});

test('services that cannot be read cost their series, not the scrape, and that is counted', async () => {
  const metrics = new Metrics({ version: '1', snapshot: () => Promise.reject(new Error('no')) });
  await metrics.render();
  const text = await lines(metrics);
  expect(text).toContain('dom0_director_snapshot_errors_total 2');
  expect(text.some((line) => line.startsWith('dom0_director_service_live'))).toBe(false);
});

test('label values are escaped', async () => {
  const odd = service('mail', { name: 'a"b\\c\nd', domus: [] });
  const text = await lines(metricsOf({ ready: true, services: [odd] }), 'dom0_director_testers');
  expect(text).toEqual(['dom0_director_testers{service="a\\"b\\\\c\\nd"} 2']);
});

test('the text is well formed: help and type once before a family, no series twice, counters end in _total', async () => {
  const conntrack = { entries: 12, limit: 65_536 };
  const metrics = metricsOf({
    services: [service('mail'), service('ldap')],
    conntrack,
    cpu: report(['mail']),
  });
  const { parts, contentType } = await metrics.render();
  const body = Buffer.concat(parts).toString();
  expect(contentType).toContain('version=0.0.4');
  expect(body.endsWith('\n')).toBe(true);
  const seen = new Set<string>();
  const types = new Map<string, string>();
  let family = '';
  for (const line of body.split('\n').filter((each) => each !== '')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      expect(types.has(name), name).toBe(false);
      family = name;
    } else if (keyword === 'TYPE') {
      expect(name).toBe(family);
      types.set(name, rest);
      expect(name.endsWith('_total'), name).toBe(rest === 'counter');
    } else {
      const [, series = ''] = /^([a-z0-9_:]+(?:\{.*\})?) (?:-?[0-9.e+-]+|nan)$/i.exec(line) ?? [];
      expect(series, line).not.toBe('');
      expect(series.startsWith(family), line).toBe(true);
      expect(seen.has(series), line).toBe(false);
      seen.add(series);
    }
  }
  expect([...types.keys()].filter((name) => name.startsWith('dom0_director_'))).toHaveLength(53);
});

/** As a meter would tell it, of two DomUs a service and both directions. */
function report(services: readonly string[]): CpuReport {
  const flows = services.flatMap((name) =>
    (['primary', 'secondary'] as const).flatMap((role) =>
      (['in', 'out'] as const).map((direction) => ({
        service: name,
        role,
        domu: `${name}-${role === 'primary' ? 'a' : 'b'}`,
        direction,
        packets: 1000,
        bytes: 64_000,
        cpuSeconds: 0.002,
        overheadSeconds: 0.0015,
        packetsPerSecond: 10,
        cpuShare: 0.01,
        overheadShare: 0.005,
        nanosPerPacket: role === 'primary' ? 2000 : null,
        samples: 50,
      })),
    ),
  );
  return {
    at: '2026-01-02T03:04:05.000Z',
    mode: 'sampler',
    forced: false,
    why: 'the kernel refuses BPF programs',
    interval: 5,
    cores: 2,
    baseline: { smallNanos: 540, bulkNanos: 740, measuredAt: '2026-01-02T03:00:00.000Z', measured: true },
    flows,
    unmeasured: [],
    netback: [{ domu: 'mail-a', service: 'mail', seconds: 0.5 }],
    softirq: { tickSeconds: 12.5, exactSeconds: null, whyNotExact: 'none' },
    softnet: { dropped: 1, squeezed: 2 },
    probe: { costSeconds: 0.01, windows: 7, samples: 700, clipped: 3, failures: 0 },
    check: null,
  };
}

test('what routing costs is told in seconds, with how the figures were made', async () => {
  const text = await lines(metricsOf({ cpu: report(['mail']) }));
  const labels = 'service="mail",role="primary",domu="mail-a",direction="in"';
  expect(text).toEqual(
    expect.arrayContaining([
      `dom0_director_routing_cpu_seconds_total{${labels}} 0.002`,
      `dom0_director_routing_overhead_seconds_total{${labels}} 0.0015`,
      `dom0_director_routing_packet_cost_seconds{${labels}} 0.000002`,
      `dom0_director_vif_packets_total{${labels}} 1000`,
      `dom0_director_vif_bytes_total{${labels}} 64000`,
      'dom0_director_meter_mode{mode="sampler"} 1',
      'dom0_director_meter_mode{mode="windows"} 0',
      'dom0_director_routing_baseline_seconds{kind="small"} 5.4e-7',
      'dom0_director_netback_cpu_seconds_total{service="mail",domu="mail-a"} 0.5',
      'dom0_director_softirq_seconds_total 12.5',
      'dom0_director_softnet_squeezed_total 2',
      'dom0_director_meter_cost_seconds_total 0.01',
      'dom0_director_meter_clipped_total 3',
    ]),
  );
  // What was never measured is absent, not 0.
  expect(text.filter((line) => line.includes('packet_cost'))).toHaveLength(2);
  expect(text.filter((line) => line.includes('softirq_network'))).toEqual([]);
});

test('without a meter there is nothing about what routing costs', async () => {
  const text = await lines(metricsOf({ services: [service('mail')] }));
  expect(text.filter((line) => /routing|meter|netback/.test(line))).toEqual([]);
});

test('a scrape of a thousand services leaves others their turns', async () => {
  const names = Array.from({ length: 1000 }, (_, n) => `s${n}`);
  const turns = new CountedTurns();
  const services = names.map((name) => turns.counting(service(name), 'live'));
  const metrics = metricsOf({ services, cpu: report(names) });
  const { parts } = await turns.during(() => metrics.render());
  expect(Buffer.concat(parts).toString().split('\n').length).toBeGreaterThan(40_000);
  expect(turns.all).toBe(1000);
  // A few pieces of text; never a whole family, let alone all of them.
  expect(turns.mostAtOnce).toBeLessThan(turns.all / 5);
});

test('scrapes at the same time take no longer turns than one', async () => {
  const mostAtOnce = async (scrapes: number): Promise<number> => {
    const turns = new CountedTurns();
    const names = Array.from({ length: 1000 }, (_, n) => `s${n}`);
    const metrics = metricsOf({ services: names.map((name) => turns.counting(service(name), 'live')) });
    await turns.during(() => Promise.all(Array.from({ length: scrapes }, () => metrics.render())));
    return turns.mostAtOnce;
  };
  const alone = await mostAtOnce(1);
  expect(await mostAtOnce(4)).toBeLessThan(alone * 2);
});

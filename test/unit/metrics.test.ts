import { expect, test } from 'vitest';
import { Metrics } from '../../src/metrics/metrics.ts';
import type { MetricsSnapshot, ServiceMetrics } from '../../src/metrics/snapshot.ts';

const service = (name: string, change: Partial<ServiceMetrics> = {}): ServiceMetrics => ({
  name,
  live: 'primary',
  trial: false,
  trialDeadline: null,
  testing: true,
  held: false,
  testers: 2,
  domus: [
    {
      domu: `${name}-a`,
      role: 'primary',
      healthy: true,
      flows: 12,
      in: { packets: 5, bytes: 500 },
      out: { packets: 4, bytes: 4000 },
    },
    { domu: `${name}-b`, role: 'secondary', healthy: null, flows: 0, in: null, out: null },
  ],
  ...change,
});

const metricsOf = (snapshot: MetricsSnapshot) =>
  new Metrics({ version: '1.2.3', snapshot: () => Promise.resolve(snapshot) });
const lines = async (metrics: Metrics, prefix = 'dom0_director_') =>
  (await metrics.render()).body.split('\n').filter((line) => line.startsWith(prefix));

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
    'dom0_director_flows{service="mail",role="primary",domu="mail-a"} 12',
    'dom0_director_flows{service="mail",role="secondary",domu="mail-b"} 0',
    'dom0_director_domu_healthy{service="mail",role="primary",domu="mail-a"} 1',
    'dom0_director_packets_total{service="mail",role="primary",domu="mail-a",direction="in"} 5',
    'dom0_director_packets_total{service="mail",role="primary",domu="mail-a",direction="out"} 4',
    'dom0_director_bytes_total{service="mail",role="primary",domu="mail-a",direction="in"} 500',
    'dom0_director_bytes_total{service="mail",role="primary",domu="mail-a",direction="out"} 4000',
  ]);
});

test('a trial shows its deadline in seconds, and one without a deadline shows none', async () => {
  const trial = service('mail', { live: 'secondary', trial: true, trialDeadline: 1_767_323_045_500 });
  const never = service('ldap', { trial: true });
  const text = await lines(metricsOf({ ready: false, services: [trial, never] }));
  expect(text).toContain('dom0_director_trial_deadline_seconds{service="mail"} 1767323045.5');
  expect(text.filter((line) => line.includes('deadline'))).toHaveLength(1);
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
  const metrics = metricsOf({ ready: true, services: [service('mail'), service('ldap')] });
  const { body, contentType } = await metrics.render();
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
  expect([...types.keys()].filter((name) => name.startsWith('dom0_director_'))).toHaveLength(18);
});

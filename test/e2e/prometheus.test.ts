import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DASHBOARDS } from '../../dashboards/index.ts';
import { promtool, rules } from '../prometheus/support.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { http } from './support/http.ts';
import { DIRECTOR_ADDRESS, LabPrometheus } from './support/prometheus.ts';
import { cutoverForGraphs } from './support/cutover-for-graphs.ts';

let directed: DirectedWorld;
let prometheus: LabPrometheus;

beforeAll(async () => {
  directed = await directedWorld({ config: { http: DIRECTOR_ADDRESS } });
  prometheus = await LabPrometheus.start(directed.world, directed.directory);
  await cutoverForGraphs(directed);
}, 120_000);
afterAll(() => directed.end());

/** Grafana's variables as one would choose them in the lab. */
function chosen(expr: string): string {
  const values = {
    $job: 'dom0-director',
    $instance: DIRECTOR_ADDRESS,
    $service: 'mail|ldap',
    $__rate_interval: '5s',
  };
  const text = Object.entries(values).reduce((all, [name, value]) => all.replaceAll(name, value), expr);
  // No switch fails in the lab, and no Xen has threads for its vifs: what has the same labels answers for them.
  return text
    .replace('kind="fail"', 'kind="switch"')
    .replace('dom0_director_netback_cpu_seconds_total', 'dom0_director_routing_cpu_seconds_total');
}

/** An alert's expression is empty by nature: its parts without what they are compared with. */
function partsOf(expr: string): string[] {
  return expr
    .split(/\s(?:and|unless) on \([^)]*\)\s/)
    .map((part) => part.replaceAll(/ (==|>=|>|<) [\d.* ]+/g, ' ').trim());
}

/** Those which Prometheus has no answer to, with what it says of them. */
async function unanswered(exprs: readonly string[]): Promise<Record<string, string>> {
  const wanted = exprs.map(chosen);
  const results = await prometheus.ask(wanted);
  const empty = results.flatMap((result, n): [string, string][] => {
    if ('error' in result) return [[wanted[n] ?? '', result.error]];
    return result.series.length === 0 ? [[wanted[n] ?? '', 'no series']] : [];
  });
  return Object.fromEntries(empty);
}

/** Rules need some rounds until those that read others have what they need. */
const expectAnswers = (exprs: readonly string[]): Promise<void> =>
  expect.poll(() => unanswered(exprs), { timeout: 20_000, interval: 1000 }).toEqual({});

describe('a Prometheus that scrapes the director through a cutover', () => {
  for (const [name, { rows, marks = [] }] of Object.entries(DASHBOARDS)) {
    it(`has an answer to every panel and mark of the dashboard ${name}`, { timeout: 40_000 }, async () => {
      const queries = rows.flatMap(({ panels }) => panels.flatMap((panel) => panel.queries));
      await expectAnswers([...queries.map(({ expr }) => expr), ...marks.map(({ expr }) => expr)]);
    });
  }

  it('has an answer to every rule, alerts without what they compare with', { timeout: 40_000 }, async () => {
    await expectAnswers(rules.flatMap(({ alert, expr }) => (alert === undefined ? [expr] : partsOf(expr))));
    await expectAnswers(rules.flatMap(({ record }) => record ?? []));
  });

  it(
    'fires for the trial that expired, and for nothing that did not happen',
    { timeout: 40_000 },
    async () => {
      const firing = async (): Promise<string[]> => {
        const [result] = await prometheus.ask(['ALERTS{alertstate="firing",alertname!~".*AboutToExpire"}']);
        if (result === undefined || 'error' in result) return ['no answer'];
        return result.series.map(({ metric }) => `${metric['alertname'] ?? ''} ${metric['service'] ?? ''}`);
      };
      await expect.poll(firing, { timeout: 20_000 }).toEqual(['Dom0DirectorTrialExpired ldap']);
    },
  );
});

describe('the metrics', () => {
  it('are as promtool wants them', { timeout: 20_000 }, async () => {
    const { text } = await http(directed.daemon.socket, 'GET', '/metrics');
    expect(await promtool(['check', 'metrics'], text)).toBe('');
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RULE_FILES, RULE_TESTS, promtool, rules } from './support.ts';

const alerts = rules.filter(({ alert }) => alert !== undefined);

describe('the rules for Prometheus', () => {
  it('are rules', { timeout: 60_000 }, async () => {
    expect(await promtool(['check', 'rules', ...RULE_FILES])).not.toContain('FAILED');
  });

  it('fire where they should and nowhere else', { timeout: 120_000 }, async () => {
    expect(await promtool(['test', 'rules', ...RULE_TESTS])).not.toContain('FAILED');
  });

  it('are each tested in both ways', () => {
    const tests = RULE_TESTS.map((file) => readFileSync(file, 'utf8')).join('');
    for (const { alert = '' } of alerts) {
      const asked = tests.split(`alertname="${alert}",alertstate="firing"}'`).slice(1);
      const quiet = asked.filter((rest) => /^\s+eval_time: \S+\s+exp_samples: \[\]/.test(rest));
      expect(quiet.length, `${alert} does not fire`).toBeGreaterThan(0);
      expect(asked.length - quiet.length, `${alert} fires`).toBeGreaterThan(0);
    }
  });

  it('say what happened, in what state things are, and what to do, with commands', () => {
    expect(alerts.length).toBeGreaterThan(10);
    for (const { alert = '', labels, annotations } of alerts) {
      expect(labels?.['severity'], alert).toMatch(/^(critical|warning|info)$/);
      expect(annotations?.['summary'], alert).toMatch(/^\S.{10,100}$/);
      expect(annotations?.['description'], alert).toMatch(/\.$/);
      expect(annotations?.['runbook'], alert).toMatch(
        /What happened: .+\nState: .+\nWhat to do: [^]*`[^`]+`/,
      );
    }
  });
});

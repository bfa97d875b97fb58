import { describe, expect, it } from 'vitest';
import { DASHBOARDS } from '../../dashboards/index.ts';
import { toJson } from '../../dashboards/grafana.ts';

describe('the dashboards', () => {
  for (const [name, dashboard] of Object.entries(DASHBOARDS)) {
    // `npx vitest run test/dashboards -u` writes them anew.
    it(`${name}: what is committed for Grafana is what the source says`, async () => {
      await expect(toJson(dashboard)).toMatchFileSnapshot(`../../dashboards/${name}.json`);
    });

    it(`${name}: each panel says what it shows, and titles are not used twice`, () => {
      const panels = dashboard.rows.flatMap((row) => row.panels);
      for (const { title, description } of panels) expect(description, title).toMatch(/^.{15,160}\.$/);
      expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    });
  }

  it('have names of their own', () => {
    const all = Object.values(DASHBOARDS);
    expect(new Set(all.map(({ uid }) => uid)).size).toBe(all.length);
    expect(new Set(all.map(({ title }) => title)).size).toBe(all.length);
  });
});

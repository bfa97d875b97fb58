import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { service } from '../../dashboards/service.ts';
import type { Panel } from '../../dashboards/grafana.ts';
import { cutoverForGraphs } from '../e2e/support/cutover-for-graphs.ts';
import { directedWorld } from '../e2e/support/director.ts';
import type { DirectedWorld } from '../e2e/support/director.ts';
import { DIRECTOR_ADDRESS, LabPrometheus } from '../e2e/support/prometheus.ts';
import type { Result, Series } from '../e2e/support/prometheus.ts';
import { draw } from './svg.ts';
import type { Line, Picture } from './svg.ts';

/**
 * Draws panels of a dashboard from what the lab's director told through a real cutover: the README's pictures.
 * DRAW_PANELS=1 node .ci/test.mjs test/bench/draw-panels.test.ts
 */
const PANELS: Readonly<Record<string, string>> = {
  'cutover-new-connections': 'New connections, by DomU',
  'cutover-resets': 'Resets, by DomU',
};
const COLORS: Readonly<Record<string, string>> = {
  blue: '#5794f2',
  green: '#73bf69',
  orange: '#ff780a',
  red: '#f2495c',
  purple: '#b877d9',
  yellow: '#f2cc0c',
};
const BREATH = 5000;

let directed: DirectedWorld;
let prometheus: LabPrometheus;
let begun: number;

beforeAll(async () => {
  directed = await directedWorld({ config: { http: DIRECTOR_ADDRESS } });
  prometheus = await LabPrometheus.start(directed.world, directed.directory);
  begun = Date.now() / 1000;
  await cutoverForGraphs(directed, BREATH);
}, 240_000);
afterAll(() => directed.end());

it('draws the pictures', { timeout: 60_000 }, async () => {
  const seconds = Date.now() / 1000 - begun;
  const marks = await marksOf();
  for (const [file, title] of Object.entries(PANELS)) {
    const panel = service.rows.flatMap(({ panels }) => panels).find((one) => one.title === title);
    if (panel === undefined) throw new Error(`there is no panel "${title}"`);
    const lines = await linesOf(panel, seconds);
    expect(lines.length, title).toBeGreaterThan(0);
    const picture: Picture = { title, unit: panel.unit, lines, marks, seconds, stack: panel.stack === true };
    const path = fileURLToPath(new URL(`../../dashboards/pictures/${file}.svg`, import.meta.url));
    await writeFile(path, draw(picture));
  }
});

const chosen = (expr: string): string =>
  expr
    .replaceAll('$job', 'dom0-director')
    .replaceAll('$instance', DIRECTOR_ADDRESS)
    .replaceAll('$service', 'mail')
    .replaceAll('$__rate_interval', '3s');

const seriesOf = (result: Result | undefined): readonly Series[] =>
  result !== undefined && 'series' in result ? result.series : [];

async function linesOf({ queries }: Panel, seconds: number): Promise<Line[]> {
  const results = await prometheus.ask(queries.map(({ expr }) => chosen(expr)));
  return queries.flatMap(({ legend }, n) =>
    seriesOf(results[n]).map(({ metric, values }) => ({
      name: legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ''),
      points: values
        .map(([at, value]) => [Math.round((at - begun) * 10) / 10, Number(value)] as const)
        .filter(([at]) => at >= 0 && at <= seconds),
    })),
  );
}

/** Grafana marks the last of each kind at any time; a picture of all of it has each of them. */
async function marksOf(): Promise<Picture['marks']> {
  const all = service.marks ?? [];
  const results = await prometheus.ask(all.map(({ expr }) => chosen(expr)));
  return all.flatMap(({ name, color }, n) => {
    const times = seriesOf(results[n]).flatMap(({ values }) =>
      values.map(([, value]) => Number(value) / 1000),
    );
    return [...new Set(times)].map((at) => ({ at: at - begun, name, color: COLORS[color] ?? color }));
  });
}

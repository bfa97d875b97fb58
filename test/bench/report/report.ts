import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Results } from '../results.ts';
import { aimsTable } from './aims.ts';
import { crowdTable, growthTable } from './growth.ts';
import { drawChart } from './chart.ts';
import { plots } from './plots.ts';
import { briefPaths, briefSwitches, machineLine, pathTables, switchTables } from './tables.ts';

/** All of a run as text, Markdown's tables included. */
export function reportText(results: Results): string {
  return [
    machineLine(results),
    switchTables(results),
    pathTables(results),
    leftText(results),
    `How the cost grows\n\n${growthTable(results)}\n\n${crowdTable(results)}`,
    briefSwitches(results),
    briefPaths(results),
    aimsTable(results),
  ].join('\n\n');
}

/**
 * Writes results.json, report.txt, the two parts of the README (aims.md, growth.md) and the pictures; answers the text.
 * `.ci/figures.mjs` puts them where they belong.
 */
export async function writeReport(results: Results, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const text = reportText(results);
  const pictures = plots(results);
  const files: Record<string, string> = {
    'results.json': `${JSON.stringify(results, null, 1)}\n`,
    'report.txt': `${text}\n`,
    'aims.md': [
      `${machineLine(results)}.`,
      aimsTable(results),
      briefSwitches(results),
      briefPaths(results),
      leftText(results),
      ...Object.entries(pictures).map(([name, { title }]) => `![${title}](test/bench/pictures/${name})`),
    ].join('\n\n'),
    'growth.md': `${growthTable(results)}\n\n${crowdTable(results)}`,
    ...Object.fromEntries(Object.entries(pictures).map(([name, chart]) => [name, drawChart(chart)])),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
  return text;
}

/** Who could not be measured, and why. */
function leftText({ left, absent }: Results): string {
  const lines = [
    ...left.map(({ peer, why }) => `${peer}: ${why}.`),
    ...absent.map(
      ({ peer, services, why }) => `${peer} with ${services.toLocaleString('en')} services: ${why}.`,
    ),
  ];
  return [...new Set(lines)].join('\n');
}

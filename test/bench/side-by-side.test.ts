import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { buildPrograms } from './programs.ts';
import { writeReport } from './report/report.ts';
import { FULL, measureAll, QUICK } from './run.ts';
import type { Extent } from './run.ts';

/**
 * `npm run bench`: the director beside what others would take instead. `npm run bench -- --quick`: in two minutes.
 * BENCH_SIZES: with how many services, divided by commas.
 */
const OUTPUT = fileURLToPath(new URL('../../.cache/bench', import.meta.url));
const quick = process.env['BENCH'] === 'quick';

function extent(): Extent {
  const usual = quick ? QUICK : FULL;
  const sizes = process.env['BENCH_SIZES']?.split(',').map(Number);
  return sizes === undefined ? usual : { ...usual, sizes };
}

it('the director beside others', { timeout: 3_600_000 }, async () => {
  const began = performance.now();
  const say = (line: string): void =>
    console.log(`${((performance.now() - began) / 1000).toFixed(0)} s: ${line}`);
  const programs = await buildPrograms();
  try {
    const results = await measureAll(programs, extent(), say);
    console.log(await writeReport(results, OUTPUT));
    const own = results.switches.filter(({ peer }) => peer === 'director').flatMap(({ flips }) => flips);
    const failures = [...results.switches, ...results.paths].flatMap(({ peer, failure }) =>
      failure === undefined ? [] : [`${peer}: ${failure}`],
    );
    expect(failures).toEqual([]);
    expect(own.length).toBeGreaterThan(0);
    expect(own.every(({ outcome }) => outcome === 'done')).toBe(true);
    expect(own.reduce((all, { lost, misdirected }) => all + lost + misdirected, 0)).toBe(0);
  } finally {
    await programs.remove();
  }
});

import { configDefaults, defineConfig } from 'vitest/config';

/** A benchmark tells nothing on a machine that is at other things, too: `npm run bench:cpu`. */
const withoutBenches = process.env['BENCH_ROUNDS'] === undefined ? ['test/bench/!(draw-panels).test.ts'] : [];

/** Writes the README's pictures anew, when somebody wants them. */
const withoutPictures = process.env['DRAW_PANELS'] === undefined ? ['test/bench/draw-panels.test.ts'] : [];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...withoutBenches, ...withoutPictures],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Namespaces, rules and sets are one kernel's: files that use it take turns.
    fileParallelism: false,
    pool: 'forks',
  },
});

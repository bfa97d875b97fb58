import { configDefaults, defineConfig } from 'vitest/config';

/** A crash suite is as long as one asks: `npm run test:faults` says how many kills. */
const withoutKills = process.env['FAULT_KILLS'] === undefined ? ['test/faults/kills.test.ts'] : [];

/** Writes the README's pictures anew, when somebody wants them. */
const withoutPictures = process.env['DRAW_PANELS'] === undefined ? ['test/bench/draw-panels.test.ts'] : [];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...withoutKills, ...withoutPictures],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Namespaces, rules and sets are one kernel's: files that use it take turns.
    fileParallelism: false,
    pool: 'forks',
  },
});

import { configDefaults, defineConfig } from 'vitest/config';

/** A crash suite is as long as one asks: `npm run test:faults` says how many kills. */
const withoutKills = process.env['FAULT_KILLS'] === undefined ? ['test/faults/kills.test.ts'] : [];

/** Figures, not tests: `npm run bench:idle`, `npm run bench:restart`. */
const withoutBench = process.env['BENCH'] === undefined ? ['test/bench/**'] : [];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...withoutKills, ...withoutBench],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Namespaces, rules and sets are one kernel's: files that use it take turns.
    fileParallelism: false,
    pool: 'forks',
  },
});

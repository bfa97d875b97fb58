import { configDefaults, defineConfig } from 'vitest/config';

/** A benchmark tells nothing on a machine that is at other things, too: `npm run bench:cpu`. */
const withoutBenches = process.env['BENCH_ROUNDS'] === undefined ? ['test/bench/**'] : [];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...withoutBenches],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Namespaces, rules and sets are one kernel's: files that use it take turns.
    fileParallelism: false,
    pool: 'forks',
  },
});

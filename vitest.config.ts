import { configDefaults, defineConfig } from 'vitest/config';

/** Figures and pictures, not tests: `npm run bench:cpu` and others ask for them. */
const BENCHES = ['BENCH', 'BENCH_ROUNDS', 'DRAW_PANELS'];
const withoutBenches = BENCHES.every((name) => process.env[name] === undefined) ? ['test/bench/**'] : [];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/xen/**', ...withoutBenches],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Namespaces, rules and sets are one kernel's: files that use it take turns.
    fileParallelism: false,
    pool: 'forks',
  },
});

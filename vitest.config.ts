import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Namespaces, rules and sets are one kernel's: files that use it take turns.
    fileParallelism: false,
    pool: 'forks',
  },
});

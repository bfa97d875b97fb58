import { defineConfig } from 'vitest/config';

/** `npm run test:xen`: a real Xen in an emulated machine. It takes its time, the more so on a busy host. */
export default defineConfig({
  test: {
    include: ['test/xen/*.test.ts'],
    globalSetup: ['test/xen/support/setup.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    teardownTimeout: 60_000,
    fileParallelism: false,
    pool: 'forks',
  },
});

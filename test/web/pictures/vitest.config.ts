import { defineConfig } from 'vitest/config';

/** Not a test: `npm run pictures` makes the README's pictures anew. */
export default defineConfig({
  test: { include: ['test/web/pictures/*.pictures.ts'], testTimeout: 240_000, hookTimeout: 120_000 },
});

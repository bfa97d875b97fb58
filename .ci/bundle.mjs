// Puts the daemon into one file, after tsc: dist/serve.js, in the place of the module of that name. Five hundred files
// take half of the time of a start. Native parts stay packages of their own.
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = `${root}dist/`;

await build({
  configFile: false,
  root,
  logLevel: 'warn',
  publicDir: false,
  ssr: { noExternal: true, external: ['better-sqlite3', 'netlink'] },
  build: {
    ssr: `${dist}serve.js`,
    outDir: dist,
    emptyOutDir: false,
    target: 'node20',
    minify: false,
    rolldownOptions: { output: { entryFileNames: '[name].js', codeSplitting: false } },
  },
});

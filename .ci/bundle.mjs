// Puts the daemon into one file, after tsc: dist/serve.js, in the place of the module of that name. Five hundred files
// take half of the time of a start. Native parts stay packages of their own.
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = `${root}dist/`;

export const NATIVE = ['better-sqlite3', 'netlink'];

/** What both bundles have in common. `entries`: modules by the names that they get; `output`: rolldown's options. */
export function bundle(entries, outDir, output, plugins = []) {
  return build({
    configFile: false,
    root,
    logLevel: 'warn',
    publicDir: false,
    plugins,
    ssr: { noExternal: true, external: NATIVE },
    build: {
      ssr: true,
      outDir,
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      rolldownOptions: { input: entries, output: { entryFileNames: '[name].js', ...output } },
    },
  });
}

export function bundleDaemon(outDir = dist, plugins = []) {
  return bundle({ serve: `${dist}serve.js` }, outDir, { codeSplitting: false }, plugins);
}

if (resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await bundleDaemon();

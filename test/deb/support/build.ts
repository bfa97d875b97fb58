import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../../../src/lab/run.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const BUILT_FROM = [
  'src',
  'rules',
  'dashboards',
  '.ci',
  'package.json',
  'package-lock.json',
  'CHANGELOG.md',
  'vite.config.ts',
];
const BUILT = join(root, '.cache/deb');
/** A busy machine takes five times as long as a quiet one. */
export const BUILD_WITHIN = 400_000;

/** Builds the package into a directory; answers its path. Two at once do not disturb each other. */
export async function build(into: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const printed = await must([process.execPath, join(root, '.ci/deb.mjs'), into], {
    timeout: BUILD_WITHIN,
    env: { ...process.env, ...env },
  });
  const path = printed.trim().split('\n').at(-1) ?? '';
  if (!path.endsWith('.deb')) throw new Error(`no package was built: ${printed}`);
  return path;
}

/** The one that `npm run deb` has built, if it is newer than all that it is made of; else one is built there. */
export async function built(): Promise<string> {
  const [found] = existsSync(BUILT)
    ? readdirSync(BUILT)
        .filter((name) => name.endsWith('.deb'))
        .map((name) => join(BUILT, name))
        .toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
    : [];
  const needed = Math.max(...BUILT_FROM.map((path) => newest(join(root, path))));
  return found !== undefined && statSync(found).mtimeMs > needed ? found : build(BUILT);
}

function newest(path: string): number {
  const found = statSync(path);
  if (!found.isDirectory()) return found.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

// Builds the meter's native helper into dist/native, statically where that can be: it then runs on any machine of this
// architecture, which needs no compiler. Without a compiler here the build goes on, and says what will be missing.
// `--dynamic`: with the system's libc, as Debian's packages are; $CFLAGS: more flags.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const from = join(root, 'src/meter/native');
const into = join(root, 'dist/native');
const sources = readdirSync(from)
  .filter((name) => name.endsWith('.c'))
  .toSorted()
  .map((name) => join(from, name));

mkdirSync(into, { recursive: true });
const dynamic = compile([]);
if (dynamic.error?.code === 'ENOENT') {
  console.error(`
################################################################################
# There is no C compiler (cc), so the meter's native helper was NOT built.
# CPU costs will be told by a fixed model, not measured, wherever this build is
# installed. As root: apt-get install gcc libc6-dev; then npm run build
################################################################################
`);
} else if (dynamic.status !== 0) {
  console.error(dynamic.stderr.toString());
  process.exitCode = 1;
} else if (!process.argv.includes('--dynamic')) {
  compile(['-static']);
}

/** Under another name first: the program may be running. */
function compile(flags) {
  const made = join(into, `meter.${process.pid}`);
  const asked = (process.env.CFLAGS ?? '').split(/\s+/).filter((flag) => flag !== '');
  const warnings = ['-Wall', '-Wextra', '-Werror'];
  const argv = ['-std=gnu17', '-O2', '-s', ...warnings, ...asked, ...flags, '-o', made, ...sources];
  const done = spawnSync('cc', argv, { stdio: ['ignore', 'inherit', 'pipe'] });
  if (done.status === 0) renameSync(made, join(into, 'meter'));
  return done;
}

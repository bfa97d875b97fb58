// Builds the Debian package of this machine's architecture into .cache/deb, or where the argument says, by Debian's own
// tools, in a fresh copy of the tree. What it takes besides is node_modules, as "npm ci" has left it, and the Node that
// runs this. The same sources give the same bytes; times are those of the last commit, or of $SOURCE_DATE_EPOCH.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const into = resolve(process.argv[2] ?? join(root, '.cache/deb'));
const LEAVE = new Set(['.git', '.cache', 'node_modules', 'dist', 'coverage']);

const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const epoch = Number(
  process.env.SOURCE_DATE_EPOCH ??
    lastCommit() ??
    Math.floor(statSync(join(root, 'CHANGELOG.md')).mtimeMs / 1000),
);
mkdirSync(join(root, '.cache'), { recursive: true });
// On this file system: node_modules is linked, not copied.
const directory = mkdtempSync(join(root, '.cache/deb-build-'));
try {
  const tree = join(directory, name);
  exportTo(tree);
  maintain(join(tree, 'debian/control'));
  writeFileSync(join(tree, 'debian/changelog'), changelog(tree));
  build(tree);
  mkdirSync(into, { recursive: true });
  const made = readdirSync(directory).filter((file) => file.endsWith('.deb'));
  for (const file of made) {
    cpSync(join(directory, file), join(into, `${file}.part`));
    renameSync(join(into, `${file}.part`), join(into, file));
    console.log(join(into, file));
  }
  // Only the newest is kept: a folder full of them is taken for a repository.
  for (const file of readdirSync(into).filter((each) => each.startsWith(`${name}_`) && each.endsWith('.deb')))
    if (!made.includes(file)) rmSync(join(into, file), { force: true });
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function exportTo(tree) {
  if (!existsSync(join(root, 'node_modules'))) fail('there is no node_modules yet: npm ci');
  mkdirSync(tree);
  for (const entry of readdirSync(root).filter((each) => !LEAVE.has(each)))
    cpSync(join(root, entry), join(tree, entry), { recursive: true });
  cpSync(join(root, 'rules/debian'), join(tree, 'debian'), { recursive: true });
  run('cp', ['-al', join(root, 'node_modules'), join(tree, 'node_modules')], root);
}

function build(tree) {
  // Nothing else of who builds: a NODE_ENV, say, makes another page.
  const env = {
    HOME: process.env.HOME ?? '/',
    PATH: `${dirname(process.execPath)}:${process.env.PATH}:/usr/sbin:/sbin`,
    NODE: process.execPath,
    SOURCE_DATE_EPOCH: String(epoch),
    DEB_BUILD_OPTIONS: 'nocheck noautodbgsym',
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
  };
  // What is needed is here already, though perhaps not by Debian's packages: Node, for one.
  run('dpkg-buildpackage', ['-b', '-d', '-us', '-uc', '-ui'], tree, env);
}

/** Who builds it for others says who he is, as all of Debian's tools want it: $DEBEMAIL and $DEBFULLNAME. */
function maintain(file) {
  const { DEBEMAIL, DEBFULLNAME } = process.env;
  if (DEBEMAIL === undefined) return;
  const whole = DEBEMAIL.includes('<') ? DEBEMAIL : `${DEBFULLNAME ?? 'Dom0 Director'} <${DEBEMAIL}>`;
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^Maintainer: .*$/m, `Maintainer: ${whole}`));
}

/** Debian's changelog says what ours says of this version. One that is not released yet is older than the release. */
function changelog(tree) {
  const text = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  const [, heading = '', items = ''] =
    new RegExp(`^## (${version.replaceAll('.', '\\.')}\\b.*)\n+((?:- .*\n?)+)`, 'm').exec(text) ?? [];
  if (heading === '') fail(`CHANGELOG.md says nothing of ${version}`);
  const date = new Date(epoch * 1000);
  const stamp = date.toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const full = heading.includes('unreleased') ? `${version}~${stamp}` : version;
  const when = date.toUTCString().replace('GMT', '+0000');
  const entries = items
    .trim()
    .split('\n')
    .map((item) => wrapped(item.replace(/^- /, '  * '), 4));
  const maintainer = /^Maintainer: (.*)$/m.exec(
    readFileSync(join(root, 'rules/debian/control'), 'utf8'),
  )?.[1];
  return `${name} (${full}) unstable; urgency=medium\n\n${entries.join('\n')}\n\n -- ${maintainer}  ${when}\n`;
}

/** Lines of 79 characters at the most, but for words that are longer. */
function wrapped(text, indent) {
  const lines = [];
  let line = text.slice(0, text.length - text.trimStart().length);
  let empty = true;
  for (const word of text.trim().split(/\s+/)) {
    if (!empty && line.length + 1 + word.length > 79) {
      lines.push(line);
      line = ' '.repeat(indent);
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line].join('\n');
}

/** Seconds since the epoch; null where this is no clone. */
function lastCommit() {
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  return status === 0 && stdout.trim() !== '' ? stdout.trim() : null;
}

function run(command, args, cwd, env = process.env) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (error !== undefined)
    fail(`${command} could not be run (${error.message}): apt-get install dpkg-dev debhelper`);
  if (status !== 0) fail(`${command} ended with ${status}:\n${stdout.slice(-6000)}\n${stderr.slice(-6000)}`);
}

function fail(why) {
  rmSync(directory ?? '', { recursive: true, force: true });
  console.error(why);
  process.exit(1);
}

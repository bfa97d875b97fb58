// Puts what a package installs below a folder (argument: debian/PACKAGE, say), after tsc and .ci/native.mjs: the program
// as a few bundles with its native parts and the Node that runs this, the page, rules, manual pages, completions and
// examples; and .cache/copyright, which names what the bundles hold. What it writes depends on nothing but its sources.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { bundle, bundleDaemon } from './bundle.mjs';
import { copyright } from './copyright.mjs';
import { manual } from './manual.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const tree = resolve(process.argv[2] ?? '');
const at = (...path) => join(root, ...path);
const to = (...path) => made(join(tree, ...path));
const lib = (...path) => to('usr/lib/dom0-director', ...path);
const doc = (...path) => to('usr/share/doc/dom0-director', ...path);

if (process.argv[2] === undefined) throw new Error('say where to');
const packages = new Set(['better-sqlite3', 'bindings', 'file-uri-to-path', 'netlink', 'node-gyp-build']);
await bundles();
nativeParts();
node();
data();
texts(await manual());
mkdirSync(at('.cache'), { recursive: true });
writeFileSync(
  at('.cache/copyright'),
  copyright(
    [...packages].toSorted().map((name) => at('node_modules', name)),
    readFileSync(at('rules/debian/copyright.in'), 'utf8'),
  ),
);

/** The command line, which loads the daemon when it is asked to serve, its thread and the lab's programs beside it. */
async function bundles() {
  const record = {
    name: 'record',
    generateBundle(_, chunks) {
      for (const { moduleIds = [] } of Object.values(chunks))
        for (const id of moduleIds) {
          const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id) ?? [];
          if (name !== undefined) packages.add(name);
        }
    },
  };
  const apart = {
    name: 'daemon-apart',
    enforce: 'pre',
    resolveId: (id) => (id === './serve.js' ? { id: './serve.js', external: true } : null),
  };
  const programs = {
    main: at('dist/main.js'),
    rtnetlink: at('dist/rtnetlink.js'),
    conntrack: at('dist/conntrack.js'),
    reading: at('dist/reading.js'),
    ...Object.fromEntries(
      ['inside', 'server', 'client'].map((name) => [`lab/${name}`, at(`dist/lab/${name}.js`)]),
    ),
  };
  const dist = lib('dist');
  // The lab finds its programs beside the module that starts them.
  await bundle(programs, dist, { chunkFileNames: 'lab/part-[hash].js' }, [apart, record]);
  await bundleDaemon(dist, [record]);
  const page = { outDir: join(dist, 'web'), emptyOutDir: true };
  await build({ configFile: at('vite.config.ts'), logLevel: 'warn', build: page, plugins: [record] });
  // Nobody starts it by its name here: /usr/bin/director knows which Node is for it.
  const main = readFileSync(join(dist, 'main.js'), 'utf8');
  writeFileSync(join(dist, 'main.js'), main.replace(/^#!.*\n/, ''));
}

/** Only what is loaded: neither sources nor other machines' binaries. */
function nativeParts() {
  const copy = (...path) =>
    cpSync(at('node_modules', ...path), lib('node_modules', ...path), { recursive: true });
  for (const name of ['better-sqlite3', 'bindings', 'file-uri-to-path', 'netlink', 'node-gyp-build'])
    copy(name, 'package.json');
  copy('better-sqlite3', 'lib');
  copy('better-sqlite3', 'build/Release/better_sqlite3.node');
  for (const file of ['bindings/bindings.js', 'file-uri-to-path/index.js']) copy(file);
  for (const file of ['index.js', 'node-gyp-build.js']) copy('node-gyp-build', file);
  for (const file of readdirSync(at('node_modules/netlink/dist'), { recursive: true }))
    if (file.endsWith('.js')) copy('netlink/dist', file);
  copy('netlink/prebuilds', `linux-${process.arch}`, 'node.napi.node');
  copyInto(at('dist/native/meter'), lib('dist/native/meter'), 0o755);
}

function node() {
  copyInto(process.execPath, lib('bin/node'), 0o755);
  const licences = [
    join(dirname(process.execPath), '../LICENSE'),
    '/usr/share/doc/nodejs/LICENSE',
    '/usr/share/doc/nodejs/copyright',
  ];
  const licence = licences.find((file) => existsSync(file) && readFileSync(file, 'utf8').includes('Node.js'));
  if (licence === undefined) throw new Error(`Node's licence is at none of ${licences.join(', ')}`);
  copyInto(licence, doc('node-licence.txt'));
}

function data() {
  const { name, version, type, license } = JSON.parse(readFileSync(at('package.json'), 'utf8'));
  writeFileSync(lib('package.json'), `${JSON.stringify({ name, version, type, license }, null, 2)}\n`);
  for (const frame of ['ipv4.rules', 'ipv6.rules']) copyInto(at('rules', frame), lib('rules', frame));
  copyInto(at('rules/config.schema.json'), to('usr/share/dom0-director/config.schema.json'));
  const example = readFileSync(at('rules/director.example.yaml'), 'utf8')
    .replace('$schema=./config.schema.json', '$schema=/usr/share/dom0-director/config.schema.json')
    .replace('director check director.example.yaml', 'director check FILE');
  writeFileSync(doc('examples/director.yaml'), example);
  for (const folder of ['prometheus', 'debian/examples'])
    for (const file of readdirSync(at('rules', folder)))
      copyInto(at('rules', folder, file), doc('examples', folder.replace('debian/examples', ''), file));
  for (const file of readdirSync(at('dashboards')).filter((each) => each.endsWith('.json')))
    copyInto(at('dashboards', file), doc('examples/dashboards', file));
  mkdirSync(to('etc/dom0-director/x').replace(/x$/, ''), { recursive: true });
  copyInto(at('rules/debian/director.sh'), to('usr/bin/director'), 0o755);
}

/** `pages`: roff by file name. */
function texts(pages) {
  for (const [name, text] of Object.entries(pages))
    writeFileSync(to('usr/share/man', `man${name.at(-1)}`, name), text);
  for (const [shell, path] of Object.entries({
    bash: 'bash-completion/completions/director',
    zsh: 'zsh/vendor-completions/_director',
    fish: 'fish/vendor_completions.d/director.fish',
  }))
    writeFileSync(to('usr/share', path), say(['completion', shell]));
}

/** What the command line that is being packed says. */
function say(argv) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [lib('dist/main.js'), ...argv], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`director ${argv.join(' ')}: ${stderr}`);
  return stdout;
}

function copyInto(from, path, mode = 0o644) {
  cpSync(from, made(path), { dereference: true });
  chmodSync(path, mode);
}

function made(path) {
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

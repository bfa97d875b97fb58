// Installs what a fresh machine lacks: packages by apt-get, dependencies by npm ci; then builds. Plain JavaScript, since
// it runs before anything is installed. `--for test` also gets what only the tests need, `--for deb` what builds a
// Debian package, `--for bench` whom the director is compared with; `--rig` also builds what the scenarios on a real Xen boot: where that cannot be, it says why, and
// those scenarios will fail.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const forTests = process.argv.includes('test');
const forBench = process.argv.includes('bench');
const forPackage = forTests || process.argv.includes('deb');
const TOOLS = {
  ip: 'iproute2',
  iptables: 'iptables',
  ipset: 'ipset',
  sysctl: 'procps',
  nsenter: 'util-linux',
  mount: 'mount',
  perl: 'perl-base',
};
const TEST_TOOLS = {
  conntrack: 'conntrack',
  tcpdump: 'tcpdump',
  nft: 'nftables',
  strace: 'strace',
  sadf: 'sysstat',
  chromium: 'chromium',
  openssl: 'openssl',
  // What firewalld needs; none of these packages has a service.
  'dbus-daemon': 'dbus-daemon',
  '/usr/bin/python3': 'python3',
  '/usr/lib/python3/dist-packages/dbus': 'python3-dbus',
  '/usr/lib/python3/dist-packages/gi': 'python3-gi',
  // The package is looked at, and installed in a machine of its own, which boots.
  lintian: 'lintian',
  man: 'man-db',
  '/lib/systemd/systemd': 'systemd',
};
const PACKAGE_TOOLS = { 'dpkg-buildpackage': 'dpkg-dev', dh: 'debhelper', make: 'make' };
// Tests and benches run them, in namespaces of their own. They are only taken out of their packages: installed, they
// would listen on this host, and change its firewall.
const UNPACKED = {
  promtool: ['prometheus'],
  'firewall-cmd': ['firewalld', 'python3-firewall', 'python3-nftables'],
};
const PEERS = {
  haproxy: ['haproxy', 'liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1'],
  nftlb: ['nftlb', 'libev4', 'libjansson4'],
  keepalived: [
    'keepalived',
    'libsnmp40',
    'libnl-3-200',
    'libnl-genl-3-200',
    'libsensors5',
    'libpci3',
    'libwrap0',
    'libglib2.0-0',
  ],
};
const BENCH_TOOLS = { nft: 'nftables', ss: 'iproute2' };
// better-sqlite3 is compiled where its prebuilt binary cannot be had.
const BUILD_TOOLS = { python3: 'python3', make: 'make', 'g++': 'g++' };
// The meter's helper; without it costs are estimated. Tests measure.
const NATIVE_TOOLS = { cc: 'gcc' };
const NATIVE = ['src/meter/native', '.ci/native.mjs'];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node ${process.versions.node} is too old: 20.19 or newer is needed`);
installPackages({
  ...TOOLS,
  ...(forTests ? TEST_TOOLS : {}),
  ...(forPackage ? PACKAGE_TOOLS : {}),
  ...(forBench ? BENCH_TOOLS : {}),
  ...(stale('node_modules/.package-lock.json', ['package-lock.json']) ? BUILD_TOOLS : {}),
  ...(forPackage || forBench || (process.getuid() === 0 && stale('dist/native/meter', NATIVE))
    ? NATIVE_TOOLS
    : {}),
});
const unpacked = { ...(forTests ? UNPACKED : {}), ...(forBench ? PEERS : {}) };
for (const [tool, names] of Object.entries(unpacked)) unpack(tool, names);
const rig = process.argv.includes('--rig') ? buildRig() : null;
if (stale('node_modules/.package-lock.json', ['package-lock.json']))
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
if (stale('dist/main.js', ['src', '.ci/bundle.mjs', 'tsconfig.json', 'tsconfig.build.json'])) {
  run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
  run(process.execPath, ['.ci/bundle.mjs']);
}
if (stale('dist/native/meter', NATIVE)) run(process.execPath, ['.ci/native.mjs']);
if (stale('dist/web/index.html', ['src/web', 'src/lib', 'vite.config.ts', 'package-lock.json']))
  run(process.execPath, ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn']);
await rig;

/** Beside all else, for it takes a minute or two. */
function buildRig() {
  const child = spawn(process.execPath, [join(root, 'test/xen/rig/build.mjs')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return once(child, 'exit');
}

function installPackages(tools) {
  const missing = Object.entries(tools).filter(([tool]) => !isThere(tool));
  const packages = [...new Set(missing.map(([, name]) => name))];
  if (packages.length === 0) return;
  if (process.getuid() !== 0)
    fail(
      `this machine lacks ${missing.map(([tool]) => tool).join(', ')}; as root: apt-get install ${packages.join(' ')}`,
    );
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  console.log(`installing ${packages.join(' ')}`);
  run('apt-get', ['update', '-qq'], env);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages, ...headers(packages)], env);
}

/** What a compiler needs beside itself, where it is installed without recommendations. */
function headers(packages) {
  return packages.includes('gcc') ? ['libc6-dev'] : [];
}

/** `tool`: a program, or the absolute path of something else. */
function isThere(tool) {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(':');
  return path.some((directory) => existsSync(resolve(directory, tool)));
}

/** Puts what the packages have in /usr and /lib into .cache/FIRST, where .ci/test.mjs and tests find it. */
function unpack(tool, names) {
  const target = join(root, '.cache', names[0]);
  if (isThere(tool) || ['bin', 'sbin'].some((place) => existsSync(join(target, place, tool)))) return;
  const directory = mkdtempSync(join(tmpdir(), 'director-setup-'));
  const download = ['apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', ...names]];
  try {
    console.log(`unpacking ${names.join(' ')}`);
    const { status } = spawnSync(...download, { cwd: directory, stdio: 'ignore' });
    if (status !== 0) {
      run('apt-get', ['update', '-qq']);
      run(...download, process.env, directory);
    }
    const files = readdirSync(directory).filter((file) => file.endsWith('.deb'));
    if (files.length !== names.length) fail(`apt-get has not downloaded all of ${names.join(' ')}`);
    for (const file of files) run('dpkg-deb', ['-x', file, 'content'], process.env, directory);
    rmSync(target, { recursive: true, force: true });
    mkdirSync(join(root, '.cache'), { recursive: true });
    run('cp', ['-r', join(directory, 'content/usr'), target]);
    const libraries = join(directory, 'content/lib');
    if (existsSync(libraries)) run('cp', ['-r', libraries, target]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function stale(made, from) {
  const time = mtime(join(root, made));
  return from.some((source) => newest(join(root, source)) > time);
}

function newest(path) {
  if (!existsSync(path) || !statSync(path).isDirectory()) return mtime(path);
  return Math.max(...readdirSync(path).map((name) => newest(join(path, name))));
}

function mtime(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function run(command, args, env = process.env, cwd = root) {
  const { status, error } = spawnSync(command, args, {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
    env,
  });
  if (status !== 0)
    fail(`"${command} ${args.join(' ')}" failed${error === undefined ? '' : `: ${error.message}`}`);
}

function fail(text) {
  console.error(`setup: ${text}`);
  process.exit(1);
}

// Installs what a fresh machine lacks: packages by apt-get, dependencies by npm ci; then builds. Plain JavaScript, since
// it runs before anything is installed. `--for test` also gets what only the tests need.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const forTests = process.argv.includes('test');
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
  chromium: 'chromium',
  openssl: 'openssl',
};
// better-sqlite3 is compiled where its prebuilt binary cannot be had.
const BUILD_TOOLS = { python3: 'python3', make: 'make', 'g++': 'g++' };

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node ${process.versions.node} is too old: 20.19 or newer is needed`);
installPackages({
  ...TOOLS,
  ...(forTests ? TEST_TOOLS : {}),
  ...(stale('node_modules/.package-lock.json', ['package-lock.json']) ? BUILD_TOOLS : {}),
});
if (stale('node_modules/.package-lock.json', ['package-lock.json']))
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
if (stale('dist/main.js', ['src', 'tsconfig.json', 'tsconfig.build.json']))
  run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
if (stale('dist/web/index.html', ['src/web', 'src/lib', 'vite.config.ts', 'package-lock.json']))
  run(process.execPath, ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn']);

function installPackages(tools) {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(':');
  const missing = Object.entries(tools).filter(
    ([tool]) => !path.some((directory) => existsSync(join(directory, tool))),
  );
  const packages = [...new Set(missing.map(([, name]) => name))];
  if (packages.length === 0) return;
  if (process.getuid() !== 0)
    fail(
      `this machine lacks ${missing.map(([tool]) => tool).join(', ')}; as root: apt-get install ${packages.join(' ')}`,
    );
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  console.log(`installing ${packages.join(' ')}`);
  run('apt-get', ['update', '-qq'], env);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], env);
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

function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
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

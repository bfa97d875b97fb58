// Runs the static checks, then all tests in network and mount namespaces of their own, with an empty /run: whatever a
// test does, this host's own rules, links and sets are out of its reach. The scenarios on a real Xen, in an emulated
// machine, run beside all that, in namespaces of theirs. Ends with the line "N passed, N failed".
// `--faults`: the crash suite alone, with a thousand kills; `node .ci/figures.mjs` then puts its figures into README.md.
// `--xen`: the scenarios on a real Xen alone.
// `--bench`: what routing costs alone, seven rounds of each work.
// `--side-by-side`: the director beside others; `--quick` with it: in two minutes. `node .ci/figures.mjs bench` then puts its
// figures into README.md.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const XEN = ['--config', 'test/xen/vitest.config.ts'];
const CHOICES = {
  '--faults': askForFaults,
  '--bench': askForBenches,
  '--side-by-side': askForPeers,
  '--quick': askForHaste,
  '--xen': () => XEN,
};
const root = fileURLToPath(new URL('..', import.meta.url));
const [first, countsFile] = process.argv.slice(2);
const inside = first === '--inside';
const rest = process.argv.slice(inside ? 4 : 2).flatMap((arg) => CHOICES[arg]?.() ?? [arg]);
const unpacked = [
  'prometheus/bin',
  'firewalld/bin',
  'firewalld/sbin',
  'haproxy/sbin',
  'nftlb/sbin',
  'keepalived/sbin',
].map((path) => join(root, '.cache', path));
process.env.PATH = [process.env.PATH ?? '', '/usr/sbin', '/sbin', ...unpacked].join(':');
const lanes = new Set();
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    endOthers();
    process.exit(1);
  });
process.exitCode = inside ? runTests(rest) : await runLanes(rest);

function askForFaults() {
  process.env.FAULT_KILLS ??= '1000';
  process.env.FAULT_FIGURES ??= join(tmpdir(), 'director-figures.md');
  return ['test/faults'];
}

function askForBenches() {
  process.env.BENCH_ROUNDS ??= '7';
  return ['test/bench/cpu.test.ts'];
}

function askForPeers() {
  process.env.BENCH = 'all';
  return ['test/bench/side-by-side.test.ts'];
}

function askForHaste() {
  process.env.BENCH = 'quick';
  return [];
}

/** What is asked for; or all there is, of which the emulated machine has a lane of its own. */
async function runLanes(args) {
  const directory = mkdtempSync(join(tmpdir(), 'director-lanes-'));
  try {
    if (args.length > 0) return sumUp(await enter('tests', directory, args));
    const log = join(directory, 'xen.log');
    const xen = enter('xen', directory, XEN, log);
    if (run('npm', ['run', '--silent', 'check']) !== 0) {
      console.error('the static checks failed; no test was run');
      return sumUp({ passed: 0, failed: 1, skipped: 0 });
    }
    const tests = await enter('tests', directory, []);
    const scenarios = await xen;
    console.log('the scenarios on a real Xen:');
    process.stdout.write(readFileSync(log, 'utf8'));
    return sumUp(tests, scenarios);
  } finally {
    endOthers();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Lanes that nobody waits for any more; each is a group of processes. */
function endOthers() {
  for (const pid of lanes) process.kill(-pid, 'SIGKILL');
  lanes.clear();
}

function sumUp(...lanes) {
  const [passed, failed, skipped] = ['passed', 'failed', 'skipped'].map((what) =>
    lanes.reduce((all, lane) => all + lane[what], 0),
  );
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed === 0 ? 0 : 1;
}

/** Tests in namespaces of their own. Where there is a `log` they write to that, and wait for all others. */
async function enter(name, directory, args, log) {
  const countsFile = join(directory, `${name}.json`);
  const output = log === undefined ? 'inherit' : openSync(log, 'a');
  const argv = [
    ...(log === undefined ? [] : ['nice', '-n', '5']),
    ...['unshare', process.getuid() === 0 ? '-nm' : '-Urnm', '--kill-child'],
    ...[process.execPath, fileURLToPath(import.meta.url), '--inside', countsFile, ...args],
  ];
  const child = spawn(argv[0], argv.slice(1), {
    cwd: root,
    stdio: ['ignore', output, output],
    detached: log !== undefined,
  });
  if (log !== undefined) lanes.add(child.pid);
  await once(child, 'close');
  lanes.delete(child.pid);
  try {
    return JSON.parse(readFileSync(countsFile, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function runTests(args) {
  for (const argv of [
    ['mount', '-t', 'tmpfs', 'tmpfs', '/run'],
    ['ip', 'link', 'set', 'lo', 'up'],
  ]) {
    if (run(argv[0], argv.slice(1)) !== 0) return 1;
  }
  const counts = runSuite(args);
  writeFileSync(countsFile, JSON.stringify(counts));
  return counts.failed === 0 ? 0 : 1;
}

/** One run of vitest's; one that ended without a report has failed. */
function runSuite(args) {
  const directory = mkdtempSync(join(tmpdir(), 'director-tests-'));
  const report = join(directory, 'report.json');
  try {
    const status = run(process.execPath, [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...args,
    ]);
    const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    // A file that could not even be loaded has failed, though none of its tests has.
    const failed = numFailedTests > 0 ? numFailedTests : status === 0 ? 0 : Math.max(numFailedTestSuites, 1);
    return { passed: numPassedTests, failed, skipped: numPendingTests };
  } catch (error) {
    console.error(`the tests ended without a report: ${error.message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1;
}

// Runs the static checks, then all tests in network and mount namespaces of their own, with an empty /run: whatever a
// test does, this host's own rules, links and sets are out of its reach. Ends with the line "N passed, N failed".
// `--faults`: the crash suite alone, with a thousand kills; `node .ci/figures.mjs` then puts its figures into README.md.
// `--xen`: the scenarios on a real Xen alone, in an emulated machine; they are not among all tests.
// `--bench`: what routing costs alone, seven rounds of each work.
// `--side-by-side`: the director beside others; `--quick` with it: in two minutes. `node .ci/figures.mjs bench` then puts its
// figures into README.md.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
const inside = process.argv[2] === '--inside';
const rest = process.argv.slice(inside ? 3 : 2).flatMap((arg) => CHOICES[arg]?.() ?? [arg]);
const unpacked = [
  'prometheus/bin',
  'firewalld/bin',
  'firewalld/sbin',
  'haproxy/sbin',
  'nftlb/sbin',
  'keepalived/sbin',
].map((path) => join(root, '.cache', path));
process.env.PATH = [process.env.PATH ?? '', '/usr/sbin', '/sbin', ...unpacked].join(':');
process.exitCode = inside ? runTests(rest) : enter(rest);

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

function enter(args) {
  if (args.length === 0 && run('npm', ['run', '--silent', 'check']) !== 0) {
    console.error('the static checks failed; no test was run');
    return 1;
  }
  const namespaces = process.getuid() === 0 ? ['-nm'] : ['-Urnm'];
  return run('unshare', [
    ...namespaces,
    '--kill-child',
    process.execPath,
    fileURLToPath(import.meta.url),
    '--inside',
    ...args,
  ]);
}

function runTests(args) {
  for (const argv of [
    ['mount', '-t', 'tmpfs', 'tmpfs', '/run'],
    ['ip', 'link', 'set', 'lo', 'up'],
  ]) {
    if (run(argv[0], argv.slice(1)) !== 0) return 1;
  }
  const { passed, failed, skipped } = runSuite(args);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed === 0 ? 0 : 1;
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

// Runs the static checks, then all tests in network and mount namespaces of their own, with an empty /run: whatever a
// test does, this host's own rules, links and sets are out of its reach. Ends with the line "N passed, N failed".
// `--faults`: the crash suite alone, with a thousand kills; `node .ci/figures.mjs` then puts its figures into README.md.
// `--xen`: the scenarios on a real Xen alone, in an emulated machine. Without a choice they run beside all others, which
// mostly wait, and are told last.
// `--bench`: what routing costs alone, seven rounds of each work.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const XEN = ['--config', 'test/xen/vitest.config.ts'];
const CHOICES = { '--faults': askForFaults, '--bench': askForBenches, '--xen': () => XEN };
const root = fileURLToPath(new URL('..', import.meta.url));
const inside = process.argv[2] === '--inside';
const rest = process.argv.slice(inside ? 3 : 2).flatMap((arg) => CHOICES[arg]?.() ?? [arg]);
const unpacked = ['prometheus/bin', 'firewalld/bin', 'firewalld/sbin'].map((path) =>
  join(root, '.cache', path),
);
process.env.PATH = [process.env.PATH ?? '', '/usr/sbin', '/sbin', ...unpacked].join(':');
process.exitCode = inside ? await runTests(rest) : enter(rest);

function askForFaults() {
  process.env.FAULT_KILLS ??= '1000';
  process.env.FAULT_FIGURES ??= join(tmpdir(), 'director-figures.md');
  return ['test/faults'];
}

function askForBenches() {
  process.env.BENCH_ROUNDS ??= '7';
  return ['test/bench/cpu.test.ts'];
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

async function runTests(args) {
  for (const argv of [
    ['mount', '-t', 'tmpfs', 'tmpfs', '/run'],
    ['ip', 'link', 'set', 'lo', 'up'],
  ]) {
    if (run(argv[0], argv.slice(1)) !== 0) return 1;
  }
  const told =
    args.length === 0 ? await Promise.all([runSuite([]), runSuite(XEN, 'later')]) : [await runSuite(args)];
  for (const { text } of told) process.stdout.write(text);
  const sum = (name) => told.reduce((all, counts) => all + counts[name], 0);
  const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : '';
  console.log(`${sum('passed')} passed, ${sum('failed')} failed${skipped}`);
  return sum('failed') === 0 ? 0 : 1;
}

/** One run of vitest's, and what it said where that is to be told later; one that ended without a report has failed. */
async function runSuite(args, told = 'now') {
  const directory = mkdtempSync(join(tmpdir(), 'director-tests-'));
  const report = join(directory, 'report.json');
  const said = join(directory, 'said');
  const text = () => (told === 'later' ? readFileSync(said, 'utf8') : '');
  const output = told === 'later' ? openSync(said, 'w') : 'inherit';
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  try {
    const status = await begin(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...args],
      output,
    );
    const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    // A file that could not even be loaded has failed, though none of its tests has.
    const failed = numFailedTests > 0 ? numFailedTests : status === 0 ? 0 : Math.max(numFailedTestSuites, 1);
    return { passed: numPassedTests, failed, skipped: numPendingTests, text: text() };
  } catch (error) {
    return {
      passed: 0,
      failed: 1,
      skipped: 0,
      text: `${text()}the tests ended without a report: ${error.message}\n`,
    };
  } finally {
    if (told === 'later') closeSync(output);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Answers the exit code; 1 where a signal ended it. */
function begin(command, args, output) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', output, output] });
  // The emulator takes what others leave.
  if (output !== 'inherit' && child.pid !== undefined) setPriority(child.pid, 5);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1;
}

#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LocalCommands } from './cli/io.ts';

const root = new URL('..', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };
const self = fileURLToPath(import.meta.url);
const inside = (name: string): string => fileURLToPath(new URL(name, root));
const meterHelper = inside('dist/native/meter');
/** Instead of a command: the daemon's own doctor, as its child. */
const EXAMINE = '--examine';

// What only one command needs is loaded when it is asked for: a shell starts this program with each press of Tab.
const local: LocalCommands = {
  version,
  serve: async ({ config }) => {
    const { serve } = await import('./serve.ts');
    return serve({
      configFile: config,
      rules: inside('rules/'),
      page: inside('dist/web/'),
      meterHelper,
      examiner: [process.execPath, self, EXAMINE],
      version,
    });
  },
  check: async (file) => (await import('./check.ts')).check(file),
  vif: async (wanted) => (await import('./vif.ts')).vif(wanted),
  doctor: async ({ config }) => (await import('./doctor/doctor.ts')).doctor({ config, meterHelper }),
  lab: async ({ tour }) => {
    const { runLab } = await import('./lab/lab.ts');
    return runLab({
      tour,
      directorArgv: [process.execPath, self],
      stdout: process.stdout,
      stderr: process.stderr,
    });
  },
};

const { stdout, stderr, stdin, env } = process;
// A reader that has had enough (`director journal | head`) is no failure.
for (const stream of [stdout, stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
}
if (process.argv[2] === EXAMINE) await (await import('./doctor/examine-here.ts')).examineHere(stdin, stdout);
else {
  const { runCli } = await import('./cli/run.ts');
  process.exitCode = await runCli(process.argv.slice(2), { stdout, stderr, stdin, env }, local);
}

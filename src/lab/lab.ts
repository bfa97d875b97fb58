import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DirectorError, messageOf } from '../lib/errors.ts';
import { Releaser } from '../lib/releaser.ts';
import { labDirectory } from './directory.ts';
import type { InsideOptions } from './inside.ts';
import { socketOf } from './config-file.ts';
import { startRelay } from './relay.ts';
import { exitCode, killGroup, run } from './run.ts';
import { missingTools, searchPath } from './tools.ts';

export interface LabOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface LabOptions {
  /** Walk through an upgrade alone, then end; else stay until SIGINT or SIGTERM. */
  readonly tour: boolean;
  /** How the program is started: `[execPath, main.js]`. */
  readonly directorArgv: readonly string[];
  readonly stdout: LabOutput;
  readonly stderr: LabOutput;
  /** By default this process's. */
  readonly env?: NodeJS.ProcessEnv;
}

const RELAY_PORT = 8440;
const WIDTH = 80;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The outer half: stays in this host's namespaces, where it holds nothing but a loopback port and a directory, and
 * starts the inner half (inside.ts) in new ones. Those die with their first process, however that ends; and the
 * inner half removes all and ends when this one dies. Answers the exit code.
 */
export async function runLab(options: LabOptions): Promise<number> {
  const given = options.env ?? process.env;
  const env = { ...given, PATH: searchPath(given['PATH'] ?? '') };
  const releaser = new Releaser();
  try {
    refuseWithoutTools(env.PATH);
    const isolation = await isolationOf(env);
    const directory = await labDirectory();
    releaser.add(() => rm(directory, { recursive: true, force: true }));
    const relay = await startRelay(RELAY_PORT, socketOf(directory));
    releaser.add(() => relay.close());
    const code = await runInner(options, env, isolation, directory, relay.port);
    await releaser.release();
    options.stdout.write('The lab has ended; everything of it is removed.\n');
    return code;
  } catch (error) {
    const hint = error instanceof DirectorError && error.hint !== undefined ? `${error.hint}\n` : '';
    options.stderr.write(`${messageOf(error)}\n${hint}`);
    return 1;
  } finally {
    await releaser.release();
  }
}

function refuseWithoutTools(path: string): void {
  const { tools, packages } = missingTools(path.split(delimiter));
  if (tools.length === 0) return;
  throw new DirectorError(
    `The lab needs ${tools.join(', ')}, which this machine lacks. Nothing was started.`,
    {
      hint: `On Debian or Ubuntu: apt-get install ${packages.join(' ')}`,
    },
  );
}

/** unshare(1)'s arguments for new namespaces; a user namespace too where this is not root. */
async function isolationOf(env: NodeJS.ProcessEnv): Promise<string[]> {
  const user = isRootless() ? ['--user', '--map-root-user'] : [];
  const argv = [...user, '--net', '--mount', '--pid', '--fork', '--kill-child', '--'];
  const { code, stderr } = await run(['unshare', ...argv, 'true'], { env });
  if (code === 0) return argv;
  throw new DirectorError(
    `The lab cannot have namespaces of its own: ${stderr.trim()}. Nothing was started.`,
    {
      hint:
        'It needs root, or user namespaces for everybody (sysctl kernel.unprivileged_userns_clone=1, or ' +
        'kernel.apparmor_restrict_unprivileged_userns=0); in a container, --privileged.',
    },
  );
}

const isRootless = (): boolean => process.getuid?.() !== 0;

async function runInner(
  options: LabOptions,
  env: NodeJS.ProcessEnv,
  isolation: readonly string[],
  directory: string,
  port: number,
): Promise<number> {
  const inside: InsideOptions = {
    tour: options.tour,
    directorArgv: options.directorArgv,
    directory,
    url: `http://127.0.0.1:${port}`,
    rootless: isRootless(),
    screen: screenOf(options.stdout, env),
  };
  if (port !== RELAY_PORT) options.stdout.write(`Port ${RELAY_PORT} is taken; the lab uses ${port}.\n`);
  const script = fileURLToPath(new URL('./inside.js', import.meta.url));
  const args = [...isolation, process.execPath, script, JSON.stringify(inside)];
  // A process group of its own: Ctrl-C is for this process alone, which ends that one in order.
  const child = spawn('unshare', args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'], env });
  child.stdout.setEncoding('utf8').on('data', (text: string) => void options.stdout.write(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void options.stderr.write(text));
  child.stdin.on('error', () => undefined);
  return endedBySignal(child, options.stdout);
}

function screenOf(stdout: LabOutput, env: NodeJS.ProcessEnv): InsideOptions['screen'] {
  const tty = stdout.isTTY === true;
  const refused = (env['NO_COLOR'] ?? '') !== '';
  const forced = (env['FORCE_COLOR'] ?? '0') !== '0';
  return { tty, color: !refused && (tty || forced), columns: stdout.columns ?? WIDTH };
}

/** The first signal asks it to end, the second kills it: the kernel then removes what it made. */
async function endedBySignal(child: ChildProcess, stdout: LabOutput): Promise<number> {
  let asked = false;
  const onSignal = (): void => {
    if (asked) {
      killGroup(child.pid, 'SIGKILL');
      return;
    }
    asked = true;
    stdout.write('\nEnding the lab. Once more ends it at once.\n');
    child.stdin?.end();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(exitCode(code, signal)));
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

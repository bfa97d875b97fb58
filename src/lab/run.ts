import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { DirectorError } from '../lib/errors.ts';

export interface RunOptions {
  readonly stdin?: string;
  readonly signal?: AbortSignal;
  /** Milliseconds; then the process group is killed and the code is that of SIGKILL. */
  readonly timeout?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** `code`: as a shell would say it, 128 + n where signal n ended it. */
export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** The whole process group of a child that was spawned `detached`; one that has ended already is fine. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Runs a program to its end. Any exit code is an answer; rejects only where it could not be started. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { detached: true, stdio: 'pipe', env: options.env ?? process.env });
  const end = (): void => killGroup(child.pid, 'SIGKILL');
  const timer = options.timeout === undefined ? undefined : setTimeout(end, options.timeout);
  options.signal?.addEventListener('abort', end, { once: true });
  if (options.signal?.aborted === true) end();
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text));
  }
  // A program that ends without reading its input is judged by its exit code.
  child.stdin.on('error', () => undefined).end(options.stdin ?? '');
  return new Promise<RunResult>((resolve, reject) => {
    child.once('error', (cause) => reject(notStarted(file, cause)));
    child.once('close', (code, signal) => resolve({ ...output, code: exitCode(code, signal) }));
  }).finally(() => {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', end);
  });
}

/** Runs a program that has to succeed; answers what it printed. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await run(argv, options);
  if (code === 0) return stdout;
  const said = (stderr || stdout).trim() || 'nothing';
  throw new DirectorError(`"${argv.join(' ')}" ended with ${code} and said: ${said}`);
}

function notStarted(file: string, cause: Error): DirectorError {
  return new DirectorError(`"${file}" could not be started: ${cause.message}`, {
    cause,
    hint: `Is it installed, and on the PATH (${process.env['PATH'] ?? ''})?`,
  });
}

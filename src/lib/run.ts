import { execFile } from 'node:child_process';
import { KernelError } from './errors.ts';

export interface RunOptions {
  readonly stdin?: string;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; the tool is ended after it. */
  readonly timeout?: number;
}

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const TOOL_TIMEOUT = 60_000;

/** The tools are in sbin, which a service's PATH may lack; nothing else of our environment is their business. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  const path = [process.env['PATH'], '/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin'];
  return { PATH: path.filter((part) => part !== undefined && part !== '').join(':'), LC_ALL: 'C' };
}

/**
 * Runs a tool without a shell and answers how it ended, whatever its status.
 * KernelError: ENOENT where there is no such tool, ETIMEDOUT where it took too long, ECANCELED where `signal` ended it.
 */
export function run(command: string, argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { stdin = '', signal, timeout = TOOL_TIMEOUT } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      argv,
      { env: toolEnvironment(), timeout, maxBuffer: Infinity, killSignal: 'SIGKILL', signal },
      (error, stdout, stderr) => {
        const status = error === null ? 0 : error.code;
        if (typeof status === 'number') resolve({ status, stdout, stderr });
        else reject(notRun(command, timeout, error as Failure));
      },
    );
    // A tool that ends before it has read everything says why on stderr; EPIPE here adds nothing.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(stdin);
  });
}

type Failure = Error & { readonly code?: string | null; readonly killed?: boolean };

function notRun(command: string, timeout: number, cause: Failure): KernelError {
  if (cause.code === 'ENOENT') {
    return new KernelError(`${command} is not on this host`, { code: 'ENOENT', cause });
  }
  if (cause.code === 'ABORT_ERR') {
    return new KernelError(`${command} was ended, because its caller no longer waits`, {
      code: 'ECANCELED',
      cause,
    });
  }
  if (cause.killed === true) {
    return new KernelError(`${command} did not end within ${timeout / 1000} s and was killed`, {
      code: 'ETIMEDOUT',
      cause,
    });
  }
  return new KernelError(`${command} could not be run: ${cause.message}`, {
    code: cause.code ?? 'UNKNOWN',
    cause,
  });
}

import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * When a process dies: as its main thread enters this system call for the nth time, after so many milliseconds, or just
 * after it has answered.
 */
export interface Step {
  readonly syscall: Syscall;
  readonly nth: number;
}
export type Moment = Step | { readonly after: number };
/** So late that it has answered before; whoever lives then is killed at once. */
export const ANSWERED: Moment = { after: 3_600_000 };

/**
 * Every step of an operation is one of these: messages to the kernel (sendmsg), the journal (pwrite64, fsync), the start
 * of a program such as iptables-restore and what it is given (clone, write). Links have a thread of their own, which is
 * woken by a write for each message.
 */
export const SYSCALLS = ['fsync', 'clone', 'sendmsg', 'pwrite64', 'write'] as const;
export type Syscall = (typeof SYSCALLS)[number];

export const momentText = (moment: Moment): string =>
  moment === ANSWERED
    ? 'its answer'
    : 'after' in moment
      ? `after ${moment.after} ms`
      : `${moment.syscall} ${moment.nth}`;

/** strace(1), on the main thread alone: the programs that it has started go on, as they would. */
export function straceArgv(moment: Step): string[] {
  const { syscall, nth } = moment;
  const inject = `inject=${syscall}:signal=KILL:when=${nth}`;
  return ['strace', '-o', '/dev/null', '-e', `trace=${syscall}`, '-e', inject];
}

export interface Armed {
  /** Lets the process live, if it still does. */
  disarm(): Promise<void>;
}

/** Resolves when the process will die at that moment: time counts from here. */
export function arm(pid: number, moment: Moment): Promise<Armed> {
  return 'after' in moment ? Promise.resolve(armClock(pid, moment.after)) : armStrace(pid, moment);
}

function armClock(pid: number, after: number): Armed {
  const abort = new AbortController();
  const killed = sleep(after, undefined, { signal: abort.signal }).then(
    () => void process.kill(pid, 'SIGKILL'),
    () => undefined,
  );
  // It may have ended by itself.
  killed.catch(() => undefined);
  return {
    disarm: async () => {
      abort.abort();
      await killed.catch(() => undefined);
    },
  };
}

const armStrace = (pid: number, moment: Step): Promise<Armed> => attach(pid, straceArgv(moment));

/** From here on the process can write to no file, as when the kernel has made a file system that has errors read-only. */
export function refuseWrites(pid: number): Promise<Armed> {
  const calls = 'pwrite64,fsync,fdatasync,ftruncate,unlink';
  return attach(pid, [
    'strace',
    '-o',
    '/dev/null',
    '-e',
    `trace=${calls}`,
    '-e',
    `inject=${calls}:error=EROFS`,
  ]);
}

async function attach(pid: number, argv: readonly string[]): Promise<Armed> {
  const [file = '', ...args] = argv;
  const strace = spawn(file, [...args, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise<void>((resolve) => {
    strace.once('exit', () => resolve());
    strace.once('error', () => resolve());
  });
  let said = '';
  const attached = new Promise<boolean>((resolve) => {
    strace.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('attached')) resolve(true);
    });
    void exited.then(() => resolve(false));
  });
  if (!(await attached)) throw new Error(`strace could not attach to ${pid}: ${said}`);
  return {
    disarm: async () => {
      strace.kill('SIGTERM');
      await exited;
    },
  };
}

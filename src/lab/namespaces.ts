import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { messageOf } from '../lib/errors.ts';
import { must, run } from './run.ts';

/** Where ip-netns(8) keeps the names. */
const NAMES = '/run/netns';
export const LAB_PREFIX = 'd0d';

/** `d0d-<pid>-<random>`: the pid tells a later run whether the owner still lives. */
export function labName(prefix = LAB_PREFIX): string {
  return `${prefix}-${process.pid}-${randomBytes(3).toString('hex')}`;
}

/** argv that runs `argv` in a namespace, and dies with the thread that started it (PR_SET_PDEATHSIG, prctl(2)). */
export function inNamespace(namespace: string, argv: readonly string[]): string[] {
  return ['setpriv', '--pdeathsig', 'KILL', 'ip', 'netns', 'exec', namespace, ...argv];
}

export async function addNamespace(name: string): Promise<void> {
  await mkdir(NAMES, { recursive: true });
  await must(['ip', 'netns', 'add', name]);
}

/** Ends what still runs in it, by pid, then forgets its name; the kernel removes its links and rules. */
export async function deleteNamespace(name: string): Promise<void> {
  for (const pid of await pidsIn(name)) end(pid);
  await must(['ip', 'netns', 'delete', name]);
}

async function pidsIn(name: string): Promise<number[]> {
  const { stdout, code } = await run(['ip', 'netns', 'pids', name]);
  return code === 0 ? stdout.split('\n').filter(Boolean).map(Number) : [];
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself, or is a number of another PID namespace.
  }
}

/** Removes the namespaces of labs whose process has died without removing them. Answers their names. */
export async function destroyLeftovers(prefix = LAB_PREFIX): Promise<string[]> {
  const { stdout, code } = await run(['ip', 'netns', 'list']);
  const names = code === 0 ? stdout.split('\n').map((line) => line.split(' ')[0] ?? '') : [];
  const left = names.filter((name) => isLeftover(name, prefix));
  const results = await Promise.allSettled(left.map(deleteNamespace));
  const errors = results.flatMap((result) =>
    result.status === 'rejected' ? [messageOf(result.reason)] : [],
  );
  // Another run may be clearing up the same ones: only what is still there counts.
  if (errors.length > 0) await assertGone(left, errors);
  return left;
}

async function assertGone(names: readonly string[], errors: readonly string[]): Promise<void> {
  const { stdout } = await run(['ip', 'netns', 'list']);
  const there = new Set(stdout.split('\n').map((line) => line.split(' ')[0]));
  if (names.some((name) => there.has(name))) throw new Error(errors.join('; '));
}

export function isLeftover(name: string, prefix: string): boolean {
  if (!name.startsWith(`${prefix}-`)) return false;
  const pid = Number(/^\d+/.exec(name.slice(prefix.length + 1))?.[0]);
  return pid > 0 && !isAlive(pid);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Tests that change the kernel do so in a network namespace of their own, or not at all: one of the processes that
 * started this one must live in another. (/proc/1/ns/net would be the shorter proof, but not everywhere may root read it.)
 */
export function requirePrivateNamespace(): void {
  const own = namespaceOf('self');
  for (let pid = process.ppid; pid > 0; pid = parentOf(pid)) {
    const other = namespaceOf(pid);
    if (other !== null && other !== own) return;
  }
  throw new Error('these tests change the kernel: run them as `unshare -nm npx vitest run ...`');
}

function namespaceOf(pid: number | 'self'): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return null;
  }
}

/** 0 where there is none (proc_pid_status(5)). */
function parentOf(pid: number): number {
  const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(parent ?? 0);
}

export function tool(command: string, ...argv: readonly string[]): string {
  return execFileSync(command, argv, { encoding: 'utf8' });
}

/** `ip` with its arguments in one text, separated by single spaces. */
export const ip = (text: string): string => tool('ip', ...text.split(' '));

import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Throws unless this process has a network namespace that was made for it: one that a process which started it does
 * not share, and that leads nowhere. Tests that need it empty tables, sets and links, which would be a host's end.
 * Ancestors are asked, and not process 1 alone: a container may not let even root look at that one.
 */
export function requirePrivateNetwork(): void {
  const own = readlinkSync('/proc/self/ns/net');
  const others = ancestors().flatMap(networkOf);
  if (!others.some((network) => network !== own)) {
    throw new Error(
      `these tests empty the network namespace that they run in, and ${own} is not their own${HOW}`,
    );
  }
  const routes = ['-4', '-6'].map((family) => execFileSync('ip', [family, 'route', 'show', 'default']));
  if (routes.some((route) => route.length > 0)) {
    throw new Error(
      `these tests empty the network namespace that they run in, and ${own} has a default route${HOW}`,
    );
  }
}

const HOW = ': run them with `unshare -nm npx vitest run`';

function ancestors(): number[] {
  const found: number[] = [];
  for (let pid = process.ppid; pid > 0; pid = parentOf(pid)) found.push(pid);
  return found;
}

/** 0 where there is none, or none to be seen (proc_pid_stat(5): the name may hold spaces and brackets). */
function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

function networkOf(pid: number): string[] {
  try {
    return [readlinkSync(`/proc/${pid}/ns/net`)];
  } catch {
    return [];
  }
}

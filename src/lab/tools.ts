import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What the lab runs, and Debian's package that has it. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  iptables: 'iptables',
  'iptables-restore': 'iptables',
  ip6tables: 'iptables',
  ipset: 'ipset',
  sysctl: 'procps',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
};

export interface MissingTools {
  readonly tools: readonly string[];
  readonly packages: readonly string[];
}

/** The directories that a program is looked for in; the administrator's too, which an ordinary user's PATH often lacks. */
export function searchPath(path: string): string {
  const wanted = [...path.split(delimiter).filter(Boolean), '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  return [...new Set(wanted)].join(delimiter);
}

/** What these directories lack to run the lab. */
export function missingTools(directories: readonly string[]): MissingTools {
  const tools = Object.keys(TOOLS).filter(
    (tool) => !directories.some((directory) => runs(join(directory, tool))),
  );
  return { tools, packages: [...new Set(tools.map((tool) => TOOLS[tool] ?? tool))] };
}

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

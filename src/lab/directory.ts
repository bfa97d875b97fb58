import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isLeftover } from './namespaces.ts';

const PREFIX = 'dom0-director-lab';

/** A fresh directory for this run; those of runs that were killed are removed. */
export async function labDirectory(): Promise<string> {
  const parent = sharedTmp(tmpdir());
  await removeLeftovers(parent);
  return mkdtemp(join(parent, `${PREFIX}-${process.pid}-`));
}

/** The lab hides /run with a file system of its own. */
export function sharedTmp(directory: string): string {
  return directory === '/run' || directory.startsWith('/run/') ? '/tmp' : directory;
}

async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!isLeftover(name, PREFIX)) continue;
    const path = join(parent, name);
    const { uid } = await lstat(path);
    if (uid === process.getuid?.()) await rm(path, { recursive: true, force: true });
  }
}

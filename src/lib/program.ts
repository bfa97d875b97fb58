import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';

/**
 * A sum over the module at `url` and all modules in these folders beside it, and Node's version: what another program
 * has worked out, and kept, need not be what this one would. In a bundle that is one file, and the folders are not there.
 */
export function printOfProgram(url: string, folders: readonly string[]): string {
  const hash = createHash('sha256')
    .update(process.version)
    .update(readFileSync(new URL(url)));
  for (const folder of folders) {
    const at = new URL(folder, url);
    if (!existsSync(at)) continue;
    for (const name of readdirSync(at).toSorted())
      if (/\.[jt]s$/.test(name)) hash.update(`\n${name}\n`).update(readFileSync(new URL(name, at)));
  }
  return hash.digest('hex');
}

import { chmod, cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../../../src/lab/run.ts';
import { PROJECT } from './rig.ts';

/** A snapshot remembers how large this disk was; what is on it may be another with each run. */
const SIZE_MB = 192;

/** An empty one, for a machine that is to be saved before there is a program. */
export async function emptyDrive(image: string): Promise<void> {
  await writeFile(image, '');
  await truncate(image, SIZE_MB * 2 ** 20);
}

/** The built program with the packages that it runs with, as they lie in the project, as a disk image. */
export async function programDrive(image: string): Promise<void> {
  const tree = await mkdtemp(join(tmpdir(), 'rig-program-'));
  try {
    for (const part of ['dist', 'rules', 'package.json', ...(await packages())])
      await cp(join(PROJECT, part), join(tree, part), { recursive: true });
    // npm makes it so where it installs the project.
    await chmod(join(tree, 'dist/main.js'), 0o755);
    await emptyDrive(image);
    await must(['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-d', tree, image]);
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

/** The folders of the packages that are no part of developing alone. */
async function packages(): Promise<string[]> {
  const text = await readFile(join(PROJECT, 'node_modules/.package-lock.json'), 'utf8');
  const { packages: all } = JSON.parse(text) as { packages: Record<string, { dev?: true }> };
  return Object.entries(all)
    .filter(([, { dev }]) => dev !== true)
    .map(([folder]) => folder);
}

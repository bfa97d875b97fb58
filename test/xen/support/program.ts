import { cp, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../../../src/lab/run.ts';
import { built } from '../../deb/support/build.ts';

/** A snapshot remembers how large this disk was; what is on it may be another with each run. */
const SIZE_MB = 96;
/** What the package is called on that disk. */
export const PACKAGE = 'dom0-director.deb';

/** An empty one, for a machine that is to be saved before there is a program. */
export async function emptyDrive(image: string): Promise<void> {
  await writeFile(image, '');
  await truncate(image, SIZE_MB * 2 ** 20);
}

/** The Debian package of this build, as a disk image. */
export async function programDrive(image: string): Promise<void> {
  const tree = await mkdtemp(join(tmpdir(), 'rig-program-'));
  try {
    await cp(await built(), join(tree, PACKAGE));
    await emptyDrive(image);
    await must(['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-d', tree, image]);
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

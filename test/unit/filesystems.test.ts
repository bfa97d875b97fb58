import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LinuxFilesystems } from '../../src/stage/filesystems.ts';

const filesystems = new LinuxFilesystems();
let directory: string;
let image: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'director-filesystems-'));
  image = join(directory, 'image');
  writeFileSync(image, '');
  truncateSync(image, 16 * 2 ** 20);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const run = (tool: string, ...argv: string[]): void => void execFileSync(tool, argv, { stdio: 'ignore' });

/** Its root directory is gone. */
const damage = (): void => run('debugfs', '-w', '-R', 'clri <2>', image);

describe("a volume's filesystem is checked by its own program", () => {
  it('one that is whole is clean, and not written to', async () => {
    run('mke2fs', '-q', '-t', 'ext4', image);
    const before = readFileSync(image);
    expect(await filesystems.check(image)).toEqual({ verdict: 'clean', text: 'ext4, clean (e2fsck)' });
    expect(readFileSync(image).equals(before)).toBe(true);
  });

  it('one that is not is damaged, and stays as it is', async () => {
    run('mke2fs', '-q', '-t', 'ext4', image);
    damage();
    const before = readFileSync(image);
    expect(await filesystems.check(image)).toMatchObject({ verdict: 'damaged' });
    expect(readFileSync(image).equals(before)).toBe(true);
  });

  it('one whose journal is still to be applied is no verdict', async () => {
    run('mke2fs', '-q', '-t', 'ext4', image);
    run('debugfs', '-w', '-R', 'feature needs_recovery', image);
    damage();
    expect(await filesystems.check(image)).toMatchObject({ verdict: 'unclear' });
  });

  it('one that nobody knows, or nobody can check, is told as such', async () => {
    expect(await filesystems.check(image)).toMatchObject({ verdict: 'unchecked' });
    run('mkswap', image);
    expect(await filesystems.check(image)).toEqual({
      verdict: 'unchecked',
      text: 'no check that only reads is known for swap',
    });
  });
});

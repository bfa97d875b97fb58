import { isNotFound, messageOf } from '../lib/errors.ts';
import { runOutside } from '../lib/outside.ts';
import type { Ran } from '../lib/run.ts';
import type { VolumeCheck } from '../model/stage.ts';

/** Whether what is on a volume is whole, by its filesystem's own check; nothing is written. Never throws. */
export interface Filesystems {
  check(device: string, signal?: AbortSignal): Promise<VolumeCheck>;
}

const LOOK_MS = 30_000;
/** A check reads all of a filesystem's own data. Milliseconds. */
const CHECK_MS = 3_600_000;

interface Check {
  readonly tool: string;
  readonly argv: readonly string[];
  /** What it says of changes that stand in the journal alone, which a guest applies when it mounts. */
  readonly unapplied?: RegExp;
}

/** e2fsck(8): -n opens read-only; xfs_repair(8): -n modifies nothing; btrfs-check(8). */
const CHECKS: Readonly<Record<string, Check>> = {
  ...Object.fromEntries(
    ['ext2', 'ext3', 'ext4'].map((type) => [
      type,
      { tool: 'e2fsck', argv: ['-f', '-n'], unapplied: /skipping journal recovery/i },
    ]),
  ),
  xfs: { tool: 'xfs_repair', argv: ['-n'], unapplied: /valuable metadata changes in a log/i },
  btrfs: { tool: 'btrfs', argv: ['check', '--readonly'] },
  vfat: { tool: 'fsck.fat', argv: ['-n'] },
};

export class LinuxFilesystems implements Filesystems {
  async check(device: string, signal?: AbortSignal): Promise<VolumeCheck> {
    try {
      return await checkDevice(device, signal);
    } catch (error) {
      const missing = isNotFound(error) ? ', so it was not checked' : '';
      return { verdict: 'unchecked', text: `${messageOf(error)}${missing}` };
    }
  }
}

async function checkDevice(device: string, signal: AbortSignal | undefined): Promise<VolumeCheck> {
  const type = await typeOf(device);
  if (type === null)
    return { verdict: 'unchecked', text: 'it is none that blkid knows; perhaps it has partitions' };
  const check = CHECKS[type];
  if (check === undefined)
    return { verdict: 'unchecked', text: `no check that only reads is known for ${type}` };
  const ran = await runOutside(check.tool, [...check.argv, device], { timeout: CHECK_MS, signal });
  return verdictOf(type, check, ran);
}

function verdictOf(type: string, { tool, unapplied }: Check, { status, stdout, stderr }: Ran): VolumeCheck {
  const output = `${stdout}\n${stderr}`;
  if (status === 0) return { verdict: 'clean', text: `${type}, clean (${tool})` };
  if (unapplied?.test(output) === true) {
    const text = `${type}: its journal is still to be applied, which the guest does when it mounts it; until then ${tool} cannot tell`;
    return { verdict: 'unclear', text };
  }
  // Of e2fsck 8 and more is trouble of its own; the others have but one status for all.
  if (tool === 'e2fsck' && (status & 4) === 0)
    return { verdict: 'unchecked', text: `${tool} could not check it (${status}): ${lastLine(output)}` };
  return { verdict: 'damaged', text: `${type}: ${tool} found errors (${status}): ${lastLine(output)}` };
}

const lastLine = (output: string): string => output.trim().split('\n').at(-1)?.trim() ?? '';

/** `TYPE=ext4` of blkid(8), which ends with 2 where it knows of nothing and with 8 where it finds two things. */
async function typeOf(device: string): Promise<string | null> {
  const argv = ['--probe', '--output', 'export', '--match-tag', 'TYPE', device];
  const { stdout } = await runOutside('blkid', argv, { timeout: LOOK_MS });
  return /^TYPE=(.+)$/m.exec(stdout)?.[1] ?? null;
}

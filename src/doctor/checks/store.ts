import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { check } from '../check.ts';
import { fault, ok, warning, word } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

export interface StoreSeen {
  readonly directory: string;
  /** `f_type` of statfs(2). */
  readonly type: number;
  readonly bytesFree: number;
  readonly bytes: number;
  /** Null where the filesystem does not count them. */
  readonly inodesFree: number | null;
  /** Null where only another user may write there, so this one cannot tell. */
  readonly writable: boolean | null;
}

/** statfs(2), linux/magic.h: what is gone after a reboot. */
const VOLATILE: ReadonlyMap<number, string> = new Map([
  [0x0102_1994, 'tmpfs'],
  [0x8584_58f6, 'ramfs'],
]);
/** There SQLite's write-ahead log does not work (sqlite.org/wal.html). */
const REMOTE: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff53_4d42, 'CIFS'],
  [0xfe53_4d42, 'SMB'],
  [0x0102_1997, '9p'],
  [0x00c3_6400, 'Ceph'],
]);
/** systemd-tmpfiles(8) clears these of what is old. */
const CLEARED = /^\/(var\/)?tmp(\/|$)/;
const MIB = 2 ** 20;
/** Every change is written before it is acknowledged; a journal of a year is some MiB. */
const LITTLE = 200 * MIB;
const NOTHING = 8 * MIB;
const SHARE = 0.03;

export function judgeStore(seen: StoreSeen | null): Verdict[] {
  if (seen === null) return [];
  const { directory, type } = seen;
  const bad = (what: string, why: string): Verdict[] => [
    fault(`the store ${directory} ${what}`, why, `findmnt -T ${word(directory)}`),
  ];
  const [volatile, remote] = [VOLATILE.get(type), REMOTE.get(type)];
  if (volatile !== undefined) return bad(`is on a ${volatile}`, `${LOST} after a reboot: ${INSTEAD}`);
  if (remote !== undefined)
    return bad(`is on ${remote}`, `a power cut, or a second host, may ruin its database: ${INSTEAD}`);
  if (CLEARED.test(directory))
    return bad('is where old files are cleared away', `${LOST} some day: ${INSTEAD}`);
  if (seen.writable === false) return bad('cannot be written', 'every change but a rollback is refused');
  return space(seen);
}

const LOST = 'roles, trials, testers and the journal are gone';
const INSTEAD = 'write a directory on a disk of this host as "state:", and restart the director';

function space({ directory, bytesFree, bytes, inodesFree }: StoreSeen): Verdict[] {
  const free = `the disk of the store ${directory} has ${Math.floor(bytesFree / MIB)} MiB left`;
  const why = 'every change but a rollback is refused when it is full';
  const command = `df -h ${word(directory)}`;
  if (bytesFree < NOTHING) return [fault(free, why, command)];
  if (inodesFree === 0) return [fault(`the disk of the store ${directory} has no inodes left`, why, command)];
  if (bytesFree < Math.min(LITTLE, bytes * SHARE)) return [warning(free, why, command)];
  return [ok(free)];
}

/** Null where no store is known. A directory that is not there yet is made in the nearest one that is. */
async function look({ state }: Ground): Promise<StoreSeen | null> {
  if (state === null) return null;
  const there = await nearest(state);
  const { type, bavail, bsize, blocks, files, ffree } = await statfs(there);
  return {
    directory: state,
    type,
    bytesFree: bavail * bsize,
    bytes: blocks * bsize,
    inodesFree: files === 0 ? null : ffree,
    writable: await access(there, constants.W_OK).then(() => true, cannotWrite),
  };
}

/** Root may write everywhere but on what is read-only; who is not root may not be who keeps the store. */
const cannotWrite = ({ code }: NodeJS.ErrnoException): false | null =>
  code === 'EACCES' && process.getuid?.() !== 0 ? null : false;

async function nearest(directory: string): Promise<string> {
  const there = await stat(directory).then(
    () => true,
    () => false,
  );
  return there || dirname(directory) === directory ? directory : nearest(dirname(directory));
}

export const storeCheck = check('store', look, judgeStore);

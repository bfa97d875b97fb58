import { realpath } from 'node:fs/promises';
import { z } from 'zod';
import { isNotFound, messageOf } from '../lib/errors.ts';
import { runOutside } from '../lib/outside.ts';
import type { Ran } from '../lib/run.ts';
import { keptBecause, VolumeError } from './volumes.ts';
import type { SnapshotOrder, Volume, Volumes } from './volumes.ts';

/** Each waits for LVM's lock of the group, and for the kernel to write down what is under way. Milliseconds. */
const LOOK_MS = 30_000;
const CHANGE_MS = 60_000;

const FIELDS = 'vg_name,lv_name,lv_path,lv_dm_path,lv_attr,lv_size,origin,pool_lv,data_percent,lv_tags';

const text = z.string().default('');
/** `lvs --reportformat json` (lvmreport(7)): every field is text. */
const report = z.object({
  report: z.array(
    z.object({
      lv: z.array(
        z.object({
          vg_name: z.string(),
          lv_name: z.string(),
          lv_path: text,
          lv_dm_path: text,
          lv_attr: z.string(),
          lv_size: text,
          origin: text,
          pool_lv: text,
          data_percent: text,
          lv_tags: text,
        }),
      ),
    }),
  ),
});
type Row = z.output<typeof report>['report'][number]['lv'][number];

/** LVM's own tools (lvm(8)). They want root. */
export class Lvm implements Volumes {
  async list(): Promise<Volume[]> {
    return (await rows()).map(volumeOf);
  }

  async at(device: string): Promise<Volume | null> {
    const all = await rows();
    const named = all.find(({ lv_path, lv_dm_path }) => device === lv_path || device === lv_dm_path);
    if (named !== undefined) return volumeOf(named);
    const real = await realOf(device);
    for (const row of all) if (real !== null && (await realOf(row.lv_dm_path)) === real) return volumeOf(row);
    return null;
  }

  /**
   * A thin snapshot would not be activated by itself, and its guest would not start after the host has; see `-k` of
   * lvcreate(8). A thick one of 100 % of its origin, with what it takes to keep account of it, can never be full.
   */
  async snapshot({ group, origin, name, thin, size, tag }: SnapshotOrder): Promise<void> {
    const kind = thin ? ['--setactivationskip', 'n'] : ['--extents', `${size}%ORIGIN`];
    const named = ['--addtag', tag, '--name', name, `${group}/${origin}`];
    await lvm('lvcreate', ['--yes', '--snapshot', ...kind, ...named]);
  }

  async remove(group: string, name: string, tag: string): Promise<boolean> {
    const all = await this.list();
    const volume = all.find((one) => one.group === group && one.name === name);
    if (volume === undefined) return false;
    const reason = keptBecause(volume, tag, all);
    if (reason !== null) throw new VolumeError(`${reason}; it was left`);
    await lvm('lvremove', ['--yes', `${group}/${name}`]);
    return true;
  }
}

async function rows(): Promise<Row[]> {
  const argv = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '--options', FIELDS];
  const { stdout } = await lvm('lvs', argv, LOOK_MS);
  try {
    return report.parse(JSON.parse(stdout)).report.flatMap(({ lv }) => lv);
  } catch (error) {
    throw new VolumeError(`what lvs answers is not understood: ${messageOf(error)}`, { cause: error });
  }
}

/** lv_attr of lvs(8): the first letter is the kind of volume, the sixth says whether it is open. */
const KINDS: Readonly<Record<string, Volume['kind']>> = {
  '-': 'plain',
  o: 'plain',
  V: 'thin',
  t: 'pool',
  s: 'snapshot',
  S: 'snapshot',
};

function volumeOf(row: Row): Volume {
  const orNull = (value: string): string | null => (value === '' ? null : value);
  return {
    group: row.vg_name,
    name: row.lv_name,
    device: row.lv_path === '' ? `/dev/${row.vg_name}/${row.lv_name}` : row.lv_path,
    kind: KINDS[row.lv_attr[0] ?? ''] ?? 'other',
    origin: orNull(row.origin),
    pool: orNull(row.pool_lv),
    size: Number(row.lv_size),
    filled: row.data_percent === '' ? null : Number(row.data_percent),
    isOpen: row.lv_attr[5] === 'o',
    tags: row.lv_tags === '' ? [] : row.lv_tags.split(','),
  };
}

/** Null where nothing is there. */
async function realOf(path: string): Promise<string | null> {
  if (path === '') return null;
  return realpath(path).catch(() => null);
}

async function lvm(tool: string, argv: readonly string[], timeout = CHANGE_MS): Promise<Ran> {
  const ran = await attempt(tool, argv, timeout);
  if (ran.status === 0) return ran;
  throw new VolumeError(`${[tool, ...argv].join(' ')} failed (${ran.status}): ${said(ran.stderr)}`, {
    hint: '"vgs" tells how much room is left, "lvs" what is there',
  });
}

async function attempt(tool: string, argv: readonly string[], timeout: number): Promise<Ran> {
  try {
    return await runOutside(tool, argv, { timeout });
  } catch (error) {
    const hint = isNotFound(error)
      ? 'apt-get install lvm2'
      : 'is another LVM command under way? "lvs" waits for it, too';
    throw new VolumeError(`LVM could not be asked: ${messageOf(error)}`, { cause: error, hint });
  }
}

/** It tells of descriptors that a caller has left open, which is nobody's trouble. */
function said(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('File descriptor '));
  return lines.length === 0 ? 'it said nothing' : lines.slice(0, 5).join('; ');
}

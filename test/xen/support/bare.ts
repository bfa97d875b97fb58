import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../../../src/lab/run.ts';
import { Dom0 } from './dom0.ts';
import { booted, createGuest, guestIsUp } from './guests.ts';
import { keepLogs } from './logs.ts';
import { diskOver, Machine } from './machine.ts';
import type { Snapshot } from './machine.ts';
import { emptyDrive } from './program.ts';
import { saveQuietly } from './snapshots.ts';
import { timed } from './timed.ts';
import { dom0Files, DOMUS } from './topology.ts';

const snapshotIn = (directory: string): Snapshot => ({
  disk: join(directory, 'disk.qcow2'),
  memory: join(directory, 'memory'),
});

/**
 * A Dom0 that has booted, with all of its guests running and nothing of the director's in it. Kept beside the rig until
 * something that it is made of changes.
 */
export async function bareSnapshot(rig: string): Promise<Snapshot> {
  const directory = join(rig, `bare-${await keyOfBare()}`);
  if (existsSync(directory)) return snapshotIn(directory);
  const making = await mkdtemp(join(rig, 'making-'));
  try {
    await makeBare(rig, making);
    await rename(making, directory);
  } catch (error) {
    if (!existsSync(directory)) throw error;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return snapshotIn(directory);
}

async function keyOfBare(): Promise<string> {
  const hash = createHash('sha256').update(await must(['qemu-system-x86_64', '--version']));
  hash.update(JSON.stringify(dom0Files()));
  for (const file of ['bare.ts', 'emulator.ts'])
    hash.update(await readFile(fileURLToPath(new URL(file, import.meta.url))));
  return hash.digest('hex').slice(0, 12);
}

async function makeBare(rig: string, directory: string): Promise<void> {
  const { disk, memory } = snapshotIn(directory);
  const parts = { rig, disk, directory, program: join(directory, 'program.img') };
  await emptyDrive(parts.program);
  await diskOver(join(rig, 'dom0.img'), 'raw', disk);
  const machine = await Machine.start(parts);
  const dom0 = new Dom0(machine);
  try {
    await timed('  the Dom0 boots', () => booted(dom0));
    for (const [file, { text, mode }] of Object.entries(dom0Files())) await dom0.write(file, text, mode);
    await timed('  its network', () => dom0.must(['systemctl', 'enable', '--now', 'rig-network']));
    for (const { name } of DOMUS) await timed(`  ${name} is created`, () => createGuest(dom0, name));
    for (const { name } of DOMUS) await timed(`  ${name} is up`, () => guestIsUp(dom0, name));
    await timed('  all is saved', () => saveQuietly(dom0, memory));
  } catch (error) {
    const where = await keepLogs(dom0, 'the rig is made');
    throw new Error(`the rig's Dom0 and its guests could not be made; logs are in ${where}`, {
      cause: error,
    });
  } finally {
    await machine.end();
  }
}

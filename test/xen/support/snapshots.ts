import { Dom0 } from './dom0.ts';
import type { Parts } from './emulator.ts';
import { diskOver, Machine } from './machine.ts';
import type { Snapshot } from './machine.ts';

/** What memory has of files is on the disk, too, so it need not be in the snapshot. */
export async function saveQuietly(dom0: Dom0, memory: string): Promise<void> {
  await dom0.must(['sync']);
  await dom0.must(['tee', '/proc/sys/vm/drop_caches'], { stdin: '3' });
  await dom0.machine.save(memory);
}

/** Its clock goes on from now. */
export async function restored(parts: Parts, snapshot: Snapshot): Promise<Dom0> {
  await diskOver(snapshot.disk, 'qcow2', parts.disk);
  const machine = await Machine.start(parts, snapshot.memory);
  const dom0 = new Dom0(machine);
  try {
    await dom0.until('the restored Dom0 answers', async () => (await dom0.run(['true'])).code === 0);
    await dom0.must(['date', '--set', `@${Date.now() / 1000}`]);
  } catch (error) {
    await machine.end();
    throw error;
  }
  return dom0;
}

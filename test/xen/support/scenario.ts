import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { TestContext } from 'vitest';
import { Directed } from './directed.ts';
import { keepLogs } from './logs.ts';
import { Machine } from './machine.ts';
import type { Parts } from './emulator.ts';
import { restored } from './snapshots.ts';

export interface Scenario {
  readonly dom0: Directed;
  /** Waits for the Dom0 to go down by itself, and boots it from the disk that it leaves; answers the one that boots. */
  readonly reboots: () => Promise<Directed>;
}

/** A test on a Dom0 of its own, fresh from the snapshot; where it fails, its logs are kept. */
export function onFreshDom0(
  act: (scenario: Scenario) => Promise<void>,
  from: 'bare' | 'directed' = 'directed',
): (context: TestContext) => Promise<void> {
  return async ({ task }) => {
    const { rig, program, directory: all, ...snapshots } = inject('stage');
    const directory = join(all, task.id);
    await mkdir(directory);
    const parts: Parts = { rig, program, directory, disk: join(directory, 'disk.qcow2') };
    let dom0 = new Directed((await restored(parts, snapshots[from])).machine);
    const reboots = async (): Promise<Directed> => {
      await dom0.machine.ended;
      dom0 = new Directed(await Machine.start(parts));
      return dom0;
    };
    try {
      await act({ dom0, reboots });
    } catch (error) {
      process.stderr.write(`logs of the rig: ${await keepLogs(dom0, task.name)}\n`);
      throw error;
    } finally {
      await dom0.machine.end();
      await rm(directory, { recursive: true, force: true });
    }
  };
}

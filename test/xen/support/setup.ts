import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { bareSnapshot } from './bare.ts';
import { Directed } from './directed.ts';
import { forgetLogs, keepLogs } from './logs.ts';
import type { Snapshot } from './machine.ts';
import { programDrive } from './program.ts';
import { rigDirectory } from './rig.ts';
import { timed } from './timed.ts';
import { restored, saveQuietly } from './snapshots.ts';

/** What the scenarios begin from. */
export interface Stage {
  readonly rig: string;
  readonly program: string;
  /** A folder that is removed after the last scenario. */
  readonly directory: string;
  /** Guests run, and there is no director. */
  readonly bare: Snapshot;
  /** The director is at work, and finds everything healthy. */
  readonly directed: Snapshot;
}

declare module 'vitest' {
  export interface ProvidedContext {
    stage: Stage;
  }
}

/** Before all scenarios: the rig's snapshot, and one with this build of the director at work. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const rig = await rigDirectory();
  await forgetLogs();
  const directory = await mkdtemp(join(dirname(rig), 'run-'));
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    const program = join(directory, 'program.img');
    await programDrive(program);
    const bare = await timed('the rig', () => bareSnapshot(rig));
    const directed = await timed('the director in it', () =>
      directedSnapshot({ rig, directory, program, bare }),
    );
    provide('stage', { rig, program, directory, bare, directed });
  } catch (error) {
    await remove();
    throw error;
  }
  return remove;
}

async function directedSnapshot(stage: Omit<Stage, 'directed'>): Promise<Snapshot> {
  const directory = join(stage.directory, 'directed');
  await mkdir(directory);
  const directed = { disk: join(directory, 'disk.qcow2'), memory: join(directory, 'memory') };
  const parts = { rig: stage.rig, program: stage.program, directory, disk: directed.disk };
  const { machine } = await restored(parts, stage.bare);
  const dom0 = new Directed(machine);
  try {
    await dom0.install();
    await dom0.healthy();
    await saveQuietly(dom0, directed.memory);
  } catch (error) {
    const where = await keepLogs(dom0, 'the director is installed');
    throw new Error(`the director is not at work in the rig; logs are in ${where}`, { cause: error });
  } finally {
    await machine.end();
  }
  return directed;
}

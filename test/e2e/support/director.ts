import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Releaser } from '../../../src/lib/releaser.ts';
import type { ConfigOptions } from '../../../src/lab/config-file.ts';
import { startDaemon } from '../../../src/lab/daemon.ts';
import type { Daemon } from '../../../src/lab/daemon.ts';
import { run } from '../../../src/lab/run.ts';
import type { RunResult } from '../../../src/lab/run.ts';
import { World } from '../../../src/lab/world.ts';
import type { WorldOptions } from '../../../src/lab/world.ts';
import { DIRECTOR, LAB_SCRIPTS } from './scripts.ts';

export interface DirectedWorld {
  readonly world: World;
  readonly daemon: Daemon;
  /** The directory with the configuration, the socket, the state and the log. */
  readonly directory: string;
  /** A command of the command line. */
  director(...args: string[]): Promise<RunResult>;
  end(): Promise<void>;
}

export type DirectedOptions = Omit<WorldOptions, 'scripts'> & {
  readonly config?: Omit<ConfigOptions, 'directory'>;
};

/** A lab with servers on all DomUs (`1.0` on the first, `2.0` on the second) and a ready director in its Dom0. */
export async function directedWorld(options: DirectedOptions = {}): Promise<DirectedWorld> {
  const releaser = new Releaser();
  try {
    const directory = await mkdtemp(join(tmpdir(), 'director-e2e-'));
    releaser.add(() => rm(directory, { recursive: true, force: true }));
    const world = await World.create({ ...options, scripts: LAB_SCRIPTS });
    releaser.add(() => world.destroy());
    await world.serveAll();
    const daemon = await startDaemon(world, { ...options.config, directory, directorArgv: DIRECTOR });
    releaser.add(() => daemon.stop());
    await daemon.healthy();
    return {
      world,
      daemon,
      directory,
      director: (...args) =>
        run([...DIRECTOR, ...args], {
          env: { ...process.env, DIRECTOR_SOCKET: daemon.socket, NO_COLOR: '1' },
          timeout: 30_000,
        }),
      end: () => releaser.release(),
    };
  } catch (error) {
    await releaser.release();
    throw error;
  }
}

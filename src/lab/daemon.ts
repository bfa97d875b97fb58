import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DirectorError } from '../lib/errors.ts';
import type { ServiceView } from '../api/contract.ts';
import { callApi } from './api.ts';
import type { ApiAnswer } from './api.ts';
import { configText, socketOf } from './config-file.ts';
import type { ConfigOptions } from './config-file.ts';
import type { LabProcess } from './process.ts';
import type { World } from './world.ts';

export interface DaemonOptions extends ConfigOptions {
  /** How the program is started: `[execPath, main.js]`. */
  readonly directorArgv: readonly string[];
}

const READY_WITHIN = 30_000;
const LOG_TAIL = 2000;

/** The director in the lab's Dom0, started by its command line as in production. */
export class Daemon {
  readonly socket: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly #world: World;
  readonly #argv: readonly string[];
  #process: LabProcess | undefined;

  constructor(world: World, { directory, directorArgv }: DaemonOptions) {
    this.#world = world;
    this.socket = socketOf(directory);
    this.configFile = `${directory}/director.yaml`;
    this.logFile = `${directory}/director.log`;
    this.#argv = [...directorArgv, 'serve', '--config', this.configFile];
  }

  get process(): LabProcess {
    if (this.#process === undefined) throw new DirectorError("the lab's director was not started");
    return this.#process;
  }

  /** Starts it (again), and waits for nothing. */
  launch(): void {
    this.#process = this.#world.spawn('dom0', this.#argv, { log: this.logFile });
  }

  /** Starts it (again); resolves when it is ready. */
  async start(): Promise<void> {
    this.launch();
    await this.#until('ready', async () => (await this.call('GET', '/readyz')).status === 200);
  }

  /** SIGTERM, and its exit code. */
  stop(): Promise<number> {
    return this.process.stop('SIGTERM', 10_000);
  }

  /** As a crash would: nothing is tidied up. */
  async kill(): Promise<void> {
    this.process.signal('SIGKILL');
    await this.process.exited;
  }

  call(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    return callApi(this.socket, method, path, body);
  }

  /** The view of a service; throws on anything but 200. */
  async service(name: string): Promise<ServiceView> {
    const { status, body } = await this.call('GET', `/v1/services/${name}`);
    if (status !== 200)
      throw new DirectorError(`the service ${name} was not told: ${status} ${JSON.stringify(body)}`);
    return body as ServiceView;
  }

  /** Resolves when both DomUs of every service of the lab answer the director's probes. */
  async healthy(): Promise<void> {
    await this.#until('satisfied with the health of all DomUs', async () => {
      const views = await Promise.all(this.#world.services.map(({ name }) => this.service(name)));
      return views.every(({ primary, secondary }) =>
        [primary, secondary].every(({ health }) => health === 'healthy'),
      );
    });
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + READY_WITHIN;
    for (;;) {
      if (this.process.ended) throw await this.#failure(`has ended with ${await this.process.exited}`);
      // Refused while it starts: no answer yet is not a failure.
      if (await isSo().catch(() => false)) return;
      if (Date.now() > deadline) throw await this.#failure(`is not ${what} after ${READY_WITHIN / 1000} s`);
      await sleep(50);
    }
  }

  async #failure(what: string): Promise<DirectorError> {
    const log = await readFile(this.logFile, 'utf8').catch(() => '');
    return new DirectorError(`the director in the lab's Dom0 ${what}`, {
      hint: `It was started as "${this.#argv.join(' ')}" and wrote last:\n${log.slice(-LOG_TAIL).trim()}`,
    });
  }
}

/** Writes the configuration of all of the lab's services and starts a director with it; resolves when it is ready. */
export async function startDaemon(world: World, options: DaemonOptions): Promise<Daemon> {
  const daemon = new Daemon(world, options);
  await mkdir(`${options.directory}/state`, { recursive: true });
  await writeFile(daemon.configFile, configText(world.services, options));
  await daemon.start();
  return daemon;
}

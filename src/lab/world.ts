import { fileURLToPath } from 'node:url';
import { DirectorError } from '../lib/errors.ts';
import { Releaser } from '../lib/releaser.ts';
import type { Answer } from './ask.ts';
import type { LoadRun } from './client.ts';
import { Agent, Held, RunningLoad } from './clients.ts';
import { addNamespace, deleteNamespace, destroyLeftovers, inNamespace, labName } from './namespaces.ts';
import { startProcess } from './process.ts';
import type { LabProcess, ProcessOptions } from './process.ts';
import { must, run } from './run.ts';
import type { RunOptions, RunResult } from './run.ts';
import type { Listening, ServerOptions } from './server.ts';
import { addressOf, labServices } from './topology.ts';
import type { LabDomu, LabFamily, LabPort, LabProtocol, LabService } from './topology.ts';
import { wiringOf } from './wiring.ts';
import type { Wiring } from './wiring.ts';

export interface WorldOptions {
  /** The prefix of its namespaces' names; by default `d0d-<pid>-<random>`. */
  readonly name?: string;
  /** How many (mail, ldap, svc-3, ...), or which. */
  readonly services?: number | readonly LabService[];
  /** br_netfilter in the Dom0; by default as the kernel has it. */
  readonly bridgeNetfilter?: boolean;
  /** The directory with the compiled server.js and client.js; by default this file's. */
  readonly scripts?: string;
}

/** Whom to ask: an address, or a service's name (its address of `family`, IPv4 where nothing is said). */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly protocol?: LabProtocol;
  readonly family?: LabFamily;
}

const ASK_TIMEOUT = 2000;
const READY_TIMEOUT = 15_000;

/**
 * Namespaces that play a Dom0, its DomUs, the network outside and its clients. A client is a namespace's short name:
 * `customer`, `tester`, `beta`, `admin`, `neighbour`, `outside`, `dom0`, or a DomU's.
 * Everything that was made is removed by `destroy`, last-in first-out; processes die with this one in any case.
 */
export class World {
  readonly name: string;
  readonly services: readonly LabService[];
  readonly #scripts: string;
  readonly #releaser = new Releaser();
  readonly #agents = new Map<string, Agent>();

  private constructor(name: string, services: readonly LabService[], scripts: string) {
    this.name = name;
    this.services = services;
    this.#scripts = scripts;
  }

  static async create(options: WorldOptions = {}): Promise<World> {
    await destroyLeftovers();
    const { services = 2 } = options;
    const world = new World(
      options.name ?? labName(),
      typeof services === 'number' ? labServices(services) : services,
      options.scripts ?? fileURLToPath(new URL('.', import.meta.url)),
    );
    try {
      await world.#wire(options.bridgeNetfilter ?? null);
    } catch (error) {
      await world.destroy();
      throw error;
    }
    return world;
  }

  /** The full name of a namespace, for `ip netns exec`. */
  ns(namespace: string): string {
    return `${this.name}-${namespace}`;
  }

  service(name: string): LabService {
    const found = this.services.find((service) => service.name === name);
    if (found === undefined) throw new DirectorError(`the lab has no service "${name}"`);
    return found;
  }

  domu(name: string): LabDomu {
    const found = this.services.flatMap(({ domus }) => domus).find((domu) => domu.name === name);
    if (found === undefined) throw new DirectorError(`the lab has no DomU "${name}"`);
    return found;
  }

  /** Runs a program in a namespace, to its end. */
  exec(namespace: string, argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(inNamespace(this.ns(namespace), argv), options);
  }

  /** The same for one that has to succeed; answers its standard output. */
  must(namespace: string, argv: readonly string[], options: RunOptions = {}): Promise<string> {
    return must(inNamespace(this.ns(namespace), argv), options);
  }

  /** Starts a program in a namespace. It is stopped with the world, with all that it started. */
  spawn(namespace: string, argv: readonly string[], options: ProcessOptions = {}): LabProcess {
    const process = startProcess(inNamespace(this.ns(namespace), argv), options);
    this.#releaser.add(() => process.stop());
    return process;
  }

  /** Starts a server on a DomU, on all of its service's ports; resolves when it listens. */
  async serve(
    domu: string,
    version: string,
    listen: readonly Listening[] = this.#portsOf(domu),
  ): Promise<LabProcess> {
    const options: ServerOptions = { name: domu, version, listen };
    const server = this.spawn(domu, this.#script('server.js', JSON.stringify(options)));
    await server.line((line) => line === 'ready', READY_TIMEOUT);
    return server;
  }

  /** Servers everywhere: `old` on every first DomU, `next` on every second. */
  async serveAll(old = '1.0', next = '2.0'): Promise<Map<string, LabProcess>> {
    const started = this.services.flatMap(({ domus }) =>
      domus.map(async ({ name }, i) => [name, await this.serve(name, i === 0 ? old : next)] as const),
    );
    return new Map(await Promise.all(started));
  }

  /** Connects once and tells who answered. Rejects only where the asking itself failed. */
  ask(client: string, target: Target & { readonly timeout?: number }): Promise<Answer> {
    const { port, protocol = 'tcp', timeout = ASK_TIMEOUT } = target;
    return this.#agent(client).ask({ host: this.#hostOf(target), port, protocol, timeout });
  }

  /** Keeps a connection (UDP: a source port) and says something each `every` ms. */
  hold(client: string, target: Target & { readonly every?: number }): Held {
    const { port, protocol = 'tcp', every = 100 } = target;
    return new Held(this.#client(client, 'hold', { host: this.#hostOf(target), port, protocol, every }));
  }

  /** Connects back to back, `workers` side by side in each of `processes`. The port should be a brief one. */
  startLoad(
    client: string,
    target: Target & Partial<Omit<LoadRun, 'host' | 'port'>> & { readonly processes?: number },
  ): RunningLoad {
    const { processes = 1, workers = 8, port, ...rest } = target;
    const options: LoadRun = { ...rest, host: this.#hostOf(target), port, workers };
    return new RunningLoad(Array.from({ length: processes }, () => this.#client(client, 'load', options)));
  }

  /** Removes all of it. May be called again. */
  async destroy(): Promise<void> {
    this.#agents.clear();
    await this.#releaser.release();
  }

  async #wire(bridgeNetfilter: boolean | null): Promise<void> {
    const nameOf = (namespace: string): string => this.ns(namespace);
    const wiring = wiringOf({ services: this.services, bridgeNetfilter, nameOf });
    for (const namespace of wiring.namespaces) {
      await addNamespace(this.ns(namespace));
      this.#releaser.add(() => deleteNamespace(this.ns(namespace)));
    }
    await Promise.all(
      [...wiring.sysctls].map(([ns, settings]) => this.must(ns, ['sysctl', '-qw', ...settings])),
    );
    await must(['ip', '-batch', '-'], { stdin: lines(wiring.links) });
    await this.#configure(wiring);
  }

  async #configure({ inside }: Wiring): Promise<void> {
    const each = [...inside].map(([ns, commands]) =>
      must(['ip', '-n', this.ns(ns), '-batch', '-'], { stdin: lines(commands) }),
    );
    await Promise.all(each);
  }

  #portsOf(domu: string): Listening[] {
    const service = this.services.find(({ domus }) => domus.some(({ name }) => name === domu));
    return (service?.ports ?? []).map(listening);
  }

  #hostOf({ host, family = 4 }: Target): string {
    const service = this.services.find(({ name }) => name === host);
    return service === undefined ? host : addressOf(service, family);
  }

  #agent(client: string): Agent {
    const agent = this.#agents.get(client) ?? new Agent(this.#client(client, 'agent', {}));
    this.#agents.set(client, agent);
    return agent;
  }

  #client(client: string, mode: string, options: unknown): LabProcess {
    return this.spawn(client, this.#script('client.js', mode, JSON.stringify(options)));
  }

  #script(file: string, ...args: string[]): string[] {
    return [process.execPath, `${this.#scripts.replace(/\/$/, '')}/${file}`, ...args];
  }
}

const lines = (commands: readonly string[]): string => commands.map((command) => `${command}\n`).join('');

/** Where a port's connections arrive on the DomU. */
function listening({ protocol, from, to, target = from, brief = false }: LabPort): Listening {
  return { protocol, from: target, to: target + (to - from), brief };
}

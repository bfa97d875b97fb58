import { expect } from 'vitest';
import type { JournalEntry, ServiceView, SwitchRequest, SwitchView } from '../../../src/api/contract.ts';
import { callApi } from '../../../src/lab/api.ts';
import { parseGreeting } from '../../../src/lab/ask.ts';
import type { Said } from '../../../src/lab/ask.ts';
import { run } from '../../../src/lab/run.ts';
import type { RunResult } from '../../../src/lab/run.ts';
import type { ClientName } from '../../../src/lab/topology.ts';
import { Dom0 } from './dom0.ts';
import { PACKAGE } from './program.ts';
import { relay } from './relay.ts';
import { PROJECT } from './rig.ts';
import { CONFIG_FILE, directorConfig, SERVICES } from './topology.ts';

export type Whence = ClientName | 'dom0' | 'outside';

export interface Asked extends Partial<Said> {
  /** An errno's name, `TIMEOUT` or `EMPTY` where nobody answered. */
  readonly error: string | null;
}

const DIRECTOR = [process.execPath, `${PROJECT}dist/main.js`];
/** An emulated CPU unpacks, and starts what it has unpacked. */
const INSTALL_S = 400;
const HEALTHY_S = 180;
/** A TCP port of both services whose servers say who they are and close. */
export const BRIEF = 8000;
/** An emulated director takes its time, the more so beside others. */
const ANSWER_MS = 90_000;
/** It says nothing more until all of it is done. */
const STAGE_MS = 600_000;

/** A Dom0 of the rig with the director at work in it. */
export class Directed extends Dom0 {
  #programs = 0;
  #relay: Promise<string> | undefined;

  /** Installs the Debian package beside a configuration; resolves when its daemon is ready. */
  async install(): Promise<void> {
    await this.write(CONFIG_FILE, directorConfig());
    await this.must(['mount', '--read-only', '/dev/vdb', '/mnt']);
    await this.must(['dpkg', '--install', `/mnt/${PACKAGE}`], { timeout: INSTALL_S });
    await this.must(['umount', '/mnt']);
    await this.must(['systemctl', 'is-active', 'dom0-director']);
  }

  /** The command line; it runs on this host, where it is not emulated, and reaches the director over its socket. */
  async director(...args: readonly string[]): Promise<RunResult> {
    const env = { ...process.env, DIRECTOR_SOCKET: await this.#socket(), NO_COLOR: '1' };
    return run([...DIRECTOR, ...args], { env, timeout: args[0] === 'stage' ? STAGE_MS : ANSWER_MS });
  }

  /** A command of the command line that has to succeed; answers what it printed. */
  async order(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.director(...args);
    if (code === 0) return stdout;
    throw new Error(`"director ${args.join(' ')}" ended with ${code}: ${stderr}${stdout}`);
  }

  /** The API; throws on anything but a success. */
  async api(method: string, path: string, sent?: unknown): Promise<unknown> {
    const { status, body } = await callApi(await this.#socket(), method, path, sent, ANSWER_MS);
    if (status < 300) return body;
    throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
  }

  service(name: string): Promise<ServiceView> {
    return this.api('GET', `/v1/services/${name}`) as Promise<ServiceView>;
  }

  /** Newest first. */
  journal(): Promise<JournalEntry[]> {
    return this.api('GET', '/v1/journal?limit=100') as Promise<JournalEntry[]>;
  }

  switch(
    services: readonly string[],
    order: Omit<SwitchRequest, 'services' | 'to'> = {},
  ): Promise<SwitchView> {
    return this.api('POST', '/v1/switches', { services, to: 'secondary', ...order }) as Promise<SwitchView>;
  }

  /** Resolves when the director has begun to measure, and is done with what it measures once. */
  async measures(): Promise<void> {
    await this.until('costs are measured', async () => (await this.api('GET', '/v1/cpu')) !== null);
    const measuring = ['pgrep', '--full', 'native/meter baseline'];
    await this.until('a plain bridge was measured', async () => (await this.run(measuring)).code !== 0);
  }

  /** Resolves when the director finds all DomUs healthy. */
  async healthy(): Promise<void> {
    for (const { name, domus } of SERVICES)
      for (const domu of domus) await this.health(name, domu.name, 'healthy');
  }

  /** Resolves when the director finds a DomU in this health. */
  async health(service: string, domu: string, wanted: string): Promise<void> {
    await this.until(
      `${domu} is ${wanted}`,
      async () => {
        const { primary, secondary } = await this.service(service);
        return [primary, secondary].some((one) => one.domu === domu && one.health === wanted);
      },
      HEALTHY_S,
    );
  }

  /** Who answers there. */
  async ask(from: Whence, host: string, port: number, protocol: 'tcp' | 'udp' = 'tcp'): Promise<Asked> {
    const ask = ['rig-ask', host, `${port}`, protocol, '10'];
    const { code, stdout } = await this.run(inNamespace(from, ask));
    const said = stdout.trim();
    return code === 0 ? { ...parseGreeting(said), error: null } : { error: said };
  }

  /** A client that connects again and again; it has done so when this resolves. */
  async load(from: Whence, host: string): Promise<RigLoad> {
    const load = new RigLoad(this, `load-${++this.#programs}`);
    await load.start(from, host);
    return load;
  }

  /** Starts a program that goes on by itself, and is stopped as a service of systemd's is. */
  async start(unit: string, argv: readonly string[], output: string): Promise<void> {
    const properties = ['StandardOutput', 'StandardError'].map(
      (name) => `--property=${name}=append:${output}`,
    );
    await this.must(['systemd-run', '--quiet', `--unit=${unit}`, ...properties, ...argv]);
  }

  async domid(domu: string): Promise<number> {
    return Number(await this.must(['xl', 'domid', domu]));
  }

  /** Six letters or dashes: running, blocked, paused, shut down, crashed, dying (xl(1), list). */
  async domainState(domu: string): Promise<string> {
    return (await this.must(['xl', 'list', domu])).trim().split(/\s+/).at(-2) ?? '';
  }

  /** A unix socket of this host that leads to the director's. */
  #socket(): Promise<string> {
    const port = this.machine.ports.director;
    this.#relay ??= relay(`${this.machine.console}.${port}`, port);
    return this.#relay;
  }

  /** What is plugged into a bridge. */
  async portsOf(bridge: string): Promise<string[]> {
    const links = JSON.parse(await this.must(['ip', '-j', 'link', 'show', 'master', bridge])) as Link[];
    return links.map(({ ifname }) => ifname).toSorted();
  }
}

interface Link {
  readonly ifname: string;
}

/** As rig-load tells it. */
export interface LoadSeen {
  readonly connections: number;
  readonly by: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<string, number>>;
  /** Who answered, in this order. */
  readonly reached: readonly string[];
}

/** Somebody has tried again and again, and nobody has answered. */
export function expectUnanswered({ by, failures }: LoadSeen): void {
  expect(by).toEqual({});
  expect(Object.values(failures).reduce((all, count) => all + count, 0)).toBeGreaterThan(2);
}

/** Nobody of these failed, and these answered, in this order. */
export function expectUnharmed({ failures, reached }: LoadSeen, ...expected: readonly string[]): void {
  expect({ failures, reached }).toEqual({ failures: {}, reached: expected });
}

/** Load from a process in the Dom0; what it has seen is in a file there. */
export class RigLoad {
  readonly #dom0: Directed;
  readonly #unit: string;

  constructor(dom0: Directed, unit: string) {
    this.#dom0 = dom0;
    this.#unit = unit;
  }

  async start(from: Whence, host: string): Promise<void> {
    const client = ['rig-load', host, `${BRIEF}`];
    await this.#dom0.start(this.#unit, inNamespace(from, client), this.#file);
    await this.#dom0.until(
      `${this.#unit} is answered`,
      async () => ((await this.sofar())?.connections ?? 0) > 0,
    );
  }

  /** As of its last second; null before. */
  async sofar(): Promise<LoadSeen | null> {
    const lines = (await this.#dom0.read(this.#file)).split('\n').slice(0, -1);
    const last = lines.at(-1);
    return last === undefined ? null : (JSON.parse(last) as LoadSeen);
  }

  /** Resolves when `count` more connections have been made from now on. */
  async goesOn(count = 20): Promise<void> {
    const began = (await this.sofar())?.connections ?? 0;
    const isSo = async (): Promise<boolean> => ((await this.sofar())?.connections ?? 0) >= began + count;
    await this.#dom0.until(`${this.#unit} is answered ${count} times more`, isSo);
  }

  /** Resolves when this DomU has answered some more connections from now on. */
  async reach(domu: string, count = 5): Promise<void> {
    const by = async (): Promise<number> => (await this.sofar())?.by[domu] ?? 0;
    const began = await by();
    await this.#dom0.until(`${this.#unit} reaches ${domu}`, async () => (await by()) >= began + count);
  }

  /** Lets it end its last connections, and sums up. */
  async stop(): Promise<LoadSeen> {
    await this.#dom0.must(['systemctl', 'stop', this.#unit]);
    const summary = await this.sofar();
    if (summary === null) throw new Error(`${this.#unit} has not summed up`);
    return summary;
  }

  get #file(): string {
    return `/run/${this.#unit}.log`;
  }
}

const inNamespace = (from: Whence, argv: readonly string[]): readonly string[] =>
  from === 'dom0' ? argv : ['ip', 'netns', 'exec', from, ...argv];

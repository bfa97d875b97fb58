import type { JournalEntry, ServiceView, SwitchRequest, SwitchView } from '../../../src/api/contract.ts';
import { parseGreeting } from '../../../src/lab/ask.ts';
import type { Said } from '../../../src/lab/ask.ts';
import type { LoadRun } from '../../../src/lab/client.ts';
import type { LoadSummary } from '../../../src/lab/load.ts';
import type { ClientName } from '../../../src/lab/topology.ts';
import { Dom0 } from './dom0.ts';
import type { CommandResult } from './dom0.ts';
import { CONFIG_FILE, directorConfig, SERVICES, SOCKET } from './topology.ts';

export type Whence = ClientName | 'dom0' | 'outside';

export interface Asked extends Partial<Said> {
  /** An errno's name, `TIMEOUT` or `EMPTY` where nobody answered. */
  readonly error: string | null;
}

const UNIT = `[Unit]
Description=Dom0 Director, from the project's build
RequiresMountsFor=/opt/dom0-director
Before=xendomains.service

[Service]
Type=notify
NotifyAccess=all
ExecStart=/usr/local/bin/director serve --config ${CONFIG_FILE}
RuntimeDirectory=dom0-director
StateDirectory=dom0-director
KillMode=process
Restart=always

[Install]
WantedBy=multi-user.target
`;
const HEALTHY_S = 180;
/** A TCP port of both services whose servers say who they are and close. */
export const BRIEF = 8000;
const CLIENT = '/opt/dom0-director/dist/lab/client.js';

/** A Dom0 of the rig with the director at work in it. */
export class Directed extends Dom0 {
  #programs = 0;

  /** Puts the build there as a service of systemd's, and starts it; resolves when it is ready. */
  async install(): Promise<void> {
    await this.write(CONFIG_FILE, directorConfig());
    await this.write('/etc/systemd/system/dom0-director.service', UNIT);
    await this.must(['systemctl', 'enable', '--now', 'dom0-director'], { timeout: HEALTHY_S });
  }

  /** The command line. */
  director(...args: readonly string[]): Promise<CommandResult> {
    return this.run(['env', 'NO_COLOR=1', 'director', ...args]);
  }

  /** A command of the command line that has to succeed; answers what it printed. */
  order(...args: readonly string[]): Promise<string> {
    return this.must(['env', 'NO_COLOR=1', 'director', ...args]);
  }

  /** The API, over its socket; throws on anything but a success. */
  async api(method: string, path: string, body?: unknown): Promise<unknown> {
    const sent =
      body === undefined ? [] : ['-H', 'content-type: application/json', '-d', JSON.stringify(body)];
    const curl = ['curl', '-sS', '--fail-with-body', '--unix-socket', SOCKET, '-X', method, ...sent];
    const said = await this.must([...curl, `http://director${path}`]);
    return said === '' ? null : (JSON.parse(said) as unknown);
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

  /** Resolves when the director finds a DomU in this health; without one, when it finds all of them healthy. */
  async healthy(): Promise<void> {
    for (const { name, domus } of SERVICES)
      for (const domu of domus) await this.health(name, domu.name, 'healthy');
  }

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

  /** A client that connects back to back; it has been answered when this resolves. */
  async load(from: Whence, host: string): Promise<RigLoad> {
    const load = new RigLoad(this, `load-${++this.#programs}`);
    await load.start(from, { host, port: BRIEF, workers: 2, pause: 50 });
    return load;
  }

  /** Somebody from outside who tries the address of a DomU itself, again and again. */
  async peep(host: string): Promise<Peeper> {
    const peeper = new Peeper(this, `peeper-${++this.#programs}`);
    await peeper.start('customer', host);
    return peeper;
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

  /** What is plugged into a bridge. */
  async portsOf(bridge: string): Promise<string[]> {
    const links = JSON.parse(await this.must(['ip', '-j', 'link', 'show', 'master', bridge])) as Link[];
    return links.map(({ ifname }) => ifname).toSorted();
  }
}

interface Link {
  readonly ifname: string;
}

/** Load from a process in the Dom0; what it has seen is in a file there. */
export class RigLoad {
  readonly #dom0: Directed;
  readonly #unit: string;

  constructor(dom0: Directed, unit: string) {
    this.#dom0 = dom0;
    this.#unit = unit;
  }

  async start(from: Whence, options: LoadRun): Promise<void> {
    const client = ['/usr/local/bin/node', CLIENT, 'load', JSON.stringify({ eachSecond: true, ...options })];
    await this.#dom0.start(this.#unit, inNamespace(from, client), this.#file);
    await this.#dom0.until(
      `${this.#unit} is answered`,
      async () => ((await this.sofar())?.connections ?? 0) > 0,
    );
  }

  /** As of its last second; null before. */
  async sofar(): Promise<LoadSummary | null> {
    const lines = (await this.#dom0.read(this.#file)).split('\n').slice(0, -1);
    const last = lines.at(-1);
    return last === undefined ? null : (JSON.parse(last) as LoadSummary);
  }

  /** Resolves when `count` more connections have been made from now on. */
  async goesOn(count = 20): Promise<void> {
    const began = (await this.sofar())?.connections ?? 0;
    const isSo = async (): Promise<boolean> => ((await this.sofar())?.connections ?? 0) >= began + count;
    await this.#dom0.until(`${this.#unit} is answered ${count} times more`, isSo);
  }

  /** Resolves when this DomU has answered some more connections from now on. */
  async reach(domu: string, count = 5): Promise<void> {
    const by = async (): Promise<number> => (await this.sofar())?.byDomu[domu] ?? 0;
    const began = await by();
    await this.#dom0.until(`${this.#unit} reaches ${domu}`, async () => (await by()) >= began + count);
  }

  /** Lets it end its last connections, and sums up. */
  async stop(): Promise<LoadSummary> {
    await this.#dom0.must(['systemctl', 'stop', this.#unit]);
    const summary = await this.sofar();
    if (summary === null) throw new Error(`${this.#unit} has not summed up`);
    return summary;
  }

  get #file(): string {
    return `/run/${this.#unit}.log`;
  }
}

/** Tries once a second at most; each attempt leaves a line. */
export class Peeper {
  readonly #dom0: Directed;
  readonly #unit: string;

  constructor(dom0: Directed, unit: string) {
    this.#dom0 = dom0;
    this.#unit = unit;
  }

  async start(from: Whence, host: string): Promise<void> {
    const again = `while :; do rig-ask ${host} ${BRIEF} tcp 1; sleep 0.1; done`;
    await this.#dom0.start(this.#unit, inNamespace(from, ['sh', '-c', again]), this.#file);
    await this.#goesOn();
  }

  /** Who has answered it, until it has tried twice more. */
  async seen(): Promise<string[]> {
    await this.#goesOn();
    return [...new Set((await this.#attempts()).filter((line) => line.includes(' ')))];
  }

  async #goesOn(): Promise<void> {
    const began = (await this.#attempts()).length;
    const isSo = async (): Promise<boolean> => (await this.#attempts()).length >= began + 2;
    await this.#dom0.until(`${this.#unit} tries again`, isSo);
  }

  async #attempts(): Promise<string[]> {
    const { stdout } = await this.#dom0.run(['cat', this.#file]);
    return stdout.split('\n').slice(0, -1);
  }

  get #file(): string {
    return `/run/${this.#unit}.log`;
  }
}

const inNamespace = (from: Whence, argv: readonly string[]): readonly string[] =>
  from === 'dom0' ? argv : ['ip', 'netns', 'exec', from, ...argv];

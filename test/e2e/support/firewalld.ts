import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { LabProcess } from '../../../src/lab/process.ts';
import type { RunResult } from '../../../src/lab/run.ts';
import type { World } from '../../../src/lab/world.ts';
import { until } from './until.ts';

/** Where .ci/setup.mjs has unpacked Debian's firewalld; a machine that has it installed has no such directory. */
const UNPACKED = fileURLToPath(new URL('../../../.cache/firewalld', import.meta.url));

export type Backend = 'nftables' | 'iptables';

/** Without Debian's own policies: whoever reaches the socket may do everything. */
const busConfig = (socket: string): string => `<!DOCTYPE busconfig PUBLIC
  "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
`;

export interface FirewalldOptions {
  readonly world: World;
  /** Where it runs. */
  readonly namespace: string;
  /** Its files; must not exist. */
  readonly directory: string;
  readonly backend: Backend;
}

/**
 * Debian's firewalld as its package configures it but for the backend, beside a system bus of its own. It may load and
 * unload no kernel modules, as in a container: those are the machine's, and others use them (`--complete-reload`
 * unloads all that have to do with firewalls).
 */
export class Firewalld {
  readonly #options: FirewalldOptions;
  readonly #env: NodeJS.ProcessEnv;
  #process: LabProcess | undefined;

  private constructor(options: FirewalldOptions) {
    this.#options = options;
    this.#env = {
      ...process.env,
      PYTHONPATH: `${UNPACKED}/lib/python3/dist-packages`,
      DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${options.directory}/bus`,
    };
  }

  /** The bus runs, firewalld not yet. */
  static async beside(options: FirewalldOptions): Promise<Firewalld> {
    const { world, namespace, directory, backend } = options;
    await mkdir(`${directory}/etc`, { recursive: true });
    await writeFile(`${directory}/etc/firewalld.conf`, `DefaultZone=public\nFirewallBackend=${backend}\n`);
    await writeFile(`${directory}/bus.conf`, busConfig(`${directory}/bus`));
    const argv = ['dbus-daemon', '--nofork', '--nopidfile', `--config-file=${directory}/bus.conf`];
    world.spawn(namespace, argv, { log: `${directory}/bus.log` });
    await until('the bus listens', () => existsSync(`${directory}/bus`));
    return new Firewalld(options);
  }

  /** Resolves when all of its rules are loaded. */
  async start(): Promise<void> {
    const { world, namespace, directory } = this.#options;
    const log = `${directory}/firewalld.log`;
    const argv = [
      ...['setpriv', '--bounding-set', '-sys_module', 'firewalld', '--nofork', '--nopid'],
      ...['--log-target=file', `--log-file=${log}`, `--system-config=${directory}/etc`],
      ...(existsSync(UNPACKED) ? [`--default-config=${UNPACKED}/lib/firewalld`] : []),
    ];
    const started = world.spawn(namespace, argv, { env: this.#env, log });
    this.#process = started;
    await until('firewalld runs', async () => {
      if (started.ended) throw new Error(`firewalld has ended: ${await readFile(log, 'utf8')}`);
      return (await this.#run('--state')).code === 0;
    });
  }

  /** firewall-cmd with these arguments, which has to succeed. */
  async command(...args: string[]): Promise<void> {
    const { stdout, stderr, code } = await this.#run(...args);
    if (code !== 0) throw new Error(`firewall-cmd ${args.join(' ')} failed: ${stdout}${stderr}`);
  }

  /** As systemd stops it; it takes away all of its rules first. */
  async stop(): Promise<void> {
    const code = await this.#process?.stop('SIGTERM', 20_000);
    if (code !== 0) throw new Error(`firewalld ended with ${code ?? 'nothing: it was not started'}`);
  }

  #run(...args: string[]): Promise<RunResult> {
    const { world, namespace } = this.#options;
    return world.exec(namespace, ['firewall-cmd', ...args], { env: this.#env, timeout: 30_000 });
  }
}

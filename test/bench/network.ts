import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { CpuView } from '../../src/api/contract.ts';
import { callApi } from '../../src/lab/api.ts';
import { addNamespace, deleteNamespace, inNamespace, labName } from '../../src/lab/namespaces.ts';
import { startProcess } from '../../src/lab/process.ts';
import type { LabProcess } from '../../src/lab/process.ts';
import { must } from '../../src/lab/run.ts';
import { Releaser } from '../../src/lib/releaser.ts';
import { DIRECTOR } from '../e2e/support/scripts.ts';

export const PORT = 7000;
/** Both services' first DomU, and its interface in the Dom0. */
export const SERVICES = [
  { name: 'mail', vip: '192.0.2.25', network: '10.50.0', vifs: ['vif1.0', 'vif2.0'] },
  { name: 'ldap', vip: '192.0.2.38', network: '10.60.0', vifs: ['vif3.0', 'vif4.0'] },
] as const;
export type BenchService = (typeof SERVICES)[number];
/** The server's address on the plain bridge. */
export const PLAIN = '10.1.0.2';

const READY_WITHIN = 30_000;

/**
 * A client, a Dom0 with two services, a DomU of each; and a plain bridge between the client and the first of these
 * DomUs, so that the same work can be done with and without routing, over as many links.
 */
export class BenchNetwork {
  readonly name = labName();
  readonly directory: string;
  readonly #releaser = new Releaser();
  #daemon: LabProcess | null = null;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<BenchNetwork> {
    const network = new BenchNetwork(await mkdtemp(join(tmpdir(), 'director-bench-')));
    network.#releaser.add(() => rm(network.directory, { recursive: true, force: true }));
    try {
      await network.#build();
    } catch (error) {
      await network.destroy();
      throw error;
    }
    return network;
  }

  ns(namespace: string): string {
    return `${this.name}-${namespace}`;
  }

  must(namespace: string, argv: readonly string[]): Promise<string> {
    return must(inNamespace(this.ns(namespace), argv));
  }

  get socket(): string {
    return `${this.directory}/director.sock`;
  }

  get daemon(): LabProcess {
    if (this.#daemon === null) throw new Error('no director was started');
    return this.#daemon;
  }

  /** A director with this meter, ready and measuring; one that ran before is ended first. */
  async direct(cpu: { meter: string; interval?: string }, argv: readonly string[] = DIRECTOR): Promise<void> {
    await this.stopDirecting();
    const file = `${this.directory}/director.yaml`;
    await mkdir(`${this.directory}/state`, { recursive: true });
    await writeFile(file, stringify({ ...this.#config(), cpu }));
    this.#daemon = startProcess(inNamespace(this.ns('dom0'), [...argv, 'serve', '--config', file]), {
      log: `${this.directory}/director.log`,
    });
    await this.until(async () => (await callApi(this.socket, 'GET', '/v1/cpu')).status === 200);
  }

  async stopDirecting(): Promise<void> {
    await this.#daemon?.stop('SIGTERM', 10_000);
    this.#daemon = null;
  }

  /** Asked again where a busy machine lets nobody answer. */
  async cpu(): Promise<CpuView> {
    let view: unknown = null;
    await this.until(async () => {
      const { status, body } = await callApi(this.socket, 'GET', '/v1/cpu');
      view = body;
      return status === 200;
    });
    return view as CpuView;
  }

  log(): Promise<string> {
    return readFile(`${this.directory}/director.log`, 'utf8').catch(() => '');
  }

  /** Waits until it is so; an error is as if it were not yet. */
  async until(isSo: () => Promise<boolean>, within = READY_WITHIN): Promise<void> {
    const deadline = Date.now() + within;
    while (!(await isSo().catch(() => false))) {
      if (Date.now() > deadline)
        throw new Error(`it did not come to that within ${within} ms; the log:\n${await this.log()}`);
      await sleep(20);
    }
  }

  async destroy(): Promise<void> {
    await this.stopDirecting();
    await this.#releaser.release();
  }

  async #build(): Promise<void> {
    for (const namespace of ['client', 'dom0', 'plain', ...SERVICES.map(({ name }) => name)]) {
      await addNamespace(this.ns(namespace));
      this.#releaser.add(() => deleteNamespace(this.ns(namespace)));
    }
    await this.#batch(null, [
      ...this.#link('client', 'eth0', 'dom0', 'eth0'),
      ...this.#link('client', 'eth1', 'plain', 'one'),
      ...this.#link('mail', 'eth1', 'plain', 'two'),
      ...SERVICES.flatMap(({ name, vifs }) => this.#link(name, 'eth0', 'dom0', vifs[0])),
    ]);
    for (const namespace of ['dom0', 'plain']) await this.#hideBridges(namespace);
    await this.#batch('client', [
      'address add 192.0.2.2/24 dev eth0',
      'address add 10.1.0.1/24 dev eth1',
      ...up('eth0', 'eth1'),
    ]);
    await this.#batch('dom0', ['address add 192.0.2.1/24 dev eth0', ...up('lo', 'eth0', 'vif1.0', 'vif3.0')]);
    await this.#batch('plain', [
      'link add name bridge type bridge forward_delay 0',
      'link set dev one master bridge',
      'link set dev two master bridge',
      ...up('one', 'two', 'bridge'),
    ]);
    await this.#batch('mail', [`address add ${PLAIN}/24 dev eth1`, ...up('eth1')]);
    for (const { name, network } of SERVICES) {
      await this.#batch(name, [
        `address add ${network}.2/24 dev eth0`,
        ...up('eth0'),
        `route add default via ${network}.1`,
      ]);
    }
  }

  /** What passes a plain bridge is nobody else's business, wherever that is the kernel's default. */
  async #hideBridges(namespace: string): Promise<void> {
    const keys = ['ip', 'ip6', 'arp'].map((table) => `net.bridge.bridge-nf-call-${table}tables=0`);
    await this.must(namespace, ['sysctl', '-qe', '-w', ...keys]);
  }

  #link(one: string, end: string, other: string, otherEnd: string): string[] {
    return [
      `link add name ${end} netns ${this.ns(one)} type veth peer name ${otherEnd} netns ${this.ns(other)}`,
    ];
  }

  async #batch(namespace: string | null, lines: readonly string[]): Promise<void> {
    const where = namespace === null ? [] : ['-n', this.ns(namespace)];
    await must(['ip', ...where, '-batch', '-'], { stdin: lines.map((line) => `${line}\n`).join('') });
  }

  #config(): Record<string, unknown> {
    const services = SERVICES.map(({ name, vip, network, vifs }) => [
      name,
      {
        addresses: [vip],
        ports: [`${PORT}/tcp`, `${PORT}/udp`],
        bridge: { name: `br-${name}`, gateway: [`${network}.1/24`] },
        domus: [
          { name: `${name}-a`, addresses: [`${network}.2`], vifs: [vifs[0]] },
          { name: `${name}-b`, addresses: [`${network}.3`], vifs: [vifs[1]] },
        ],
        // Probes are packets, too.
        health: { check: 'off' },
      },
    ]);
    return {
      listen: { socket: this.socket },
      state: `${this.directory}/state`,
      uplink: 'eth0',
      services: Object.fromEntries(services) as unknown,
    };
  }
}

const up = (...links: readonly string[]): string[] => links.map((link) => `link set dev ${link} up`);

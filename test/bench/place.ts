import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addNamespace, deleteNamespace, inNamespace, labName } from '../../src/lab/namespaces.ts';
import { startProcess } from '../../src/lab/process.ts';
import type { LabProcess, ProcessOptions } from '../../src/lab/process.ts';
import { must } from '../../src/lab/run.ts';
import { Releaser } from '../../src/lib/releaser.ts';
import {
  BRIDGE_NETWORKS,
  BRIDGE_NETWORKS6,
  bridgeAddress,
  bridgeAddress6,
  bridgeName,
  domuAddress,
  domuAddress6,
  domuName,
  PORT,
  SERVICE_NETWORK,
  SERVICE_NETWORK6,
  vifName,
} from './numbering.ts';
import type { Side } from './numbering.ts';
import type { Programs } from './programs.ts';

/** On a disk, not in memory: what is durable has to be. */
const ON_DISK = '/var/tmp';
const LOG_TAIL = 500;
const SIDES: readonly Side[] = ['a', 'b'];
/** As many ports as there are, and entries that go soon: connections follow each other by the thousand a second. */
const PORTS = 'net.ipv4.ip_local_port_range=1024 65535';
const ENTRIES = ['time_wait', 'close'].map((state) => `net.netfilter.nf_conntrack_tcp_timeout_${state}=1`);
const FORWARDING = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
/** What passes a bridge is nobody else's business, wherever that is the kernel's default. */
const HIDDEN = ['ip', 'ip6', 'arp'].map((table) => `net.bridge.bridge-nf-call-${table}tables=0`);

/**
 * A client, a Dom0, and two DomUs of each service that is looked at, with servers; the others of the list have no
 * guests. Nobody directs anything yet. All that is made or started is removed by `destroy`.
 */
export class Place {
  readonly programs: Programs;
  readonly directory: string;
  /** The services that have DomUs, by number. */
  readonly witnesses: readonly number[];
  readonly #name = labName();
  readonly #releaser = new Releaser();

  private constructor(programs: Programs, directory: string, witnesses: readonly number[]) {
    this.programs = programs;
    this.directory = directory;
    this.witnesses = witnesses;
  }

  static async create(programs: Programs, witnesses: readonly number[]): Promise<Place> {
    const directory = await mkdtemp(join(ON_DISK, 'director-bench-'));
    const place = new Place(programs, directory, [...new Set(witnesses)]);
    place.#releaser.add(() => rm(directory, { recursive: true, force: true }));
    try {
      await place.#build();
    } catch (error) {
      await place.destroy();
      throw error;
    }
    return place;
  }

  ns(namespace: string): string {
    return `${this.#name}-${namespace}`;
  }

  /** A command in a namespace that has to succeed; answers what it printed. */
  must(namespace: string, argv: readonly string[], stdin = ''): Promise<string> {
    return must(inNamespace(this.ns(namespace), argv), { stdin });
  }

  spawn(namespace: string, argv: readonly string[], options: ProcessOptions = {}): LabProcess {
    const process = startProcess(inNamespace(this.ns(namespace), argv), options);
    this.#releaser.add(() => process.stop('SIGTERM', 20_000));
    return process;
  }

  /** Writes a file of the place's; answers its path. */
  async write(name: string, text: string): Promise<string> {
    const path = join(this.directory, name);
    await writeFile(path, text);
    return path;
  }

  /** `ip` in a namespace, a command a line. */
  ip(namespace: string, lines: readonly string[]): Promise<string> {
    return must(['ip', '-n', this.ns(namespace), '-batch', '-'], {
      stdin: lines.map((line) => `${line}\n`).join(''),
    });
  }

  async destroy(): Promise<void> {
    await this.#releaser.release();
  }

  async #build(): Promise<void> {
    const domus = this.witnesses.flatMap((n) => SIDES.map((side) => domuName(n, side)));
    for (const namespace of ['client', 'dom0', ...domus]) {
      await addNamespace(this.ns(namespace));
      this.#releaser.add(() => deleteNamespace(this.ns(namespace)));
    }
    await this.must('client', ['sysctl', '-qw', PORTS]);
    await this.must('dom0', ['sysctl', '-qw', PORTS, ...FORWARDING, ...ENTRIES]);
    await this.must('dom0', ['sysctl', '-qe', '-w', ...HIDDEN]);
    await this.#link('client', 'eth0', 'eth0');
    await this.ip('dom0', [
      'address add 198.51.100.1/24 dev eth0',
      'address add 2001:db8:100::1/64 dev eth0 nodad',
      'link set lo up',
      'link set eth0 up',
    ]);
    await this.ip('client', [
      'address add 198.51.100.2/24 dev eth0',
      'address add 2001:db8:100::2/64 dev eth0 nodad',
      'link set eth0 up',
      ...[SERVICE_NETWORK, BRIDGE_NETWORKS].map((to) => `route add ${to} via 198.51.100.1`),
      ...[SERVICE_NETWORK6, BRIDGE_NETWORKS6].map((to) => `route add ${to} via 2001:db8:100::1`),
    ]);
    for (const n of this.witnesses) await this.#addService(n);
  }

  async #addService(n: number): Promise<void> {
    const bridge = bridgeName(n);
    await this.ip('dom0', [
      `link add ${bridge} type bridge forward_delay 0`,
      `address add ${bridgeAddress(n)}/29 dev ${bridge}`,
      `address add ${bridgeAddress6(n)}/64 dev ${bridge} nodad`,
      `link set ${bridge} up`,
    ]);
    for (const side of SIDES) {
      const domu = domuName(n, side);
      await this.#link(domu, 'eth0', vifName(n, side));
      await this.ip('dom0', [`link set ${vifName(n, side)} master ${bridge} up`]);
      await this.ip(domu, [
        `address add ${domuAddress(n, side)}/29 dev eth0`,
        `address add ${domuAddress6(n, side)}/64 dev eth0 nodad`,
        'link set eth0 up',
        `route add default via ${bridgeAddress(n)}`,
        `route add default via ${bridgeAddress6(n)}`,
      ]);
      await this.#serve(domu, side);
    }
  }

  /** It enters its namespace by itself. */
  async #serve(domu: string, side: Side): Promise<void> {
    const server = startProcess([this.programs.serve, this.ns(domu), side, String(PORT)]);
    this.#releaser.add(() => server.stop());
    await server.line((line) => line === 'ready', 10_000);
  }

  #link(namespace: string, end: string, inDom0: string): Promise<string> {
    const dom0 = `netns ${this.ns('dom0')}`;
    return must(['ip', '-batch', '-'], {
      stdin: `link add ${inDom0} ${dom0} type veth peer name ${end} netns ${this.ns(namespace)}\n`,
    });
  }
}

/** Waits until a program is ready. One that ends before, or is not within `within` ms, is told with its log's end. */
export async function patiently(
  program: LabProcess,
  log: string,
  isReady: () => Promise<boolean>,
  within: number,
): Promise<void> {
  const deadline = Date.now() + within;
  while (!(await isReady().catch(() => false))) {
    if (!program.ended && Date.now() < deadline) {
      await sleep(10);
      continue;
    }
    const what = program.ended ? 'it has ended' : `it is not ready within ${within / 1000} s`;
    throw new Error(`${what}: ${(await readFile(log, 'utf8')).slice(-LOG_TAIL).trim()}`);
  }
}

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { callApi } from '../../../src/lab/api.ts';
import { addNamespace, deleteNamespace, inNamespace, labName } from '../../../src/lab/namespaces.ts';
import { startProcess } from '../../../src/lab/process.ts';
import type { LabProcess } from '../../../src/lab/process.ts';
import { must } from '../../../src/lab/run.ts';
import { Metrics } from './metrics.ts';
import { DIRECTOR } from './scripts.ts';
import { until } from './until.ts';

const UPLINK = 'many0';
const READY_WITHIN = 120_000;

/** A definition that has no guests: what is measured is what the director does by itself. */
export function definition(n: number): Record<string, unknown> {
  const [high, low, hex] = [n >> 8, n & 255, (n + 1).toString(16)];
  const domu = (letter: string, host: number): unknown => ({
    name: `s${n}-${letter}`,
    addresses: [`10.${100 + high}.${low}.${host}`, `fd00:${hex}::${host}`],
    vifs: [`many${2 * n + host}.0`],
  });
  return {
    addresses: [`198.18.${high}.${low}`, `2001:db8:1::${hex}`],
    ports: ['25/tcp', '389/tcp', '389/udp'],
    bridge: { name: `br-s${n}`, gateway: [`10.${100 + high}.${low}.1/24`, `fd00:${hex}::1/64`] },
    domus: [domu('a', 2), domu('b', 3)],
    testers: ['198.51.100.7', '2001:db8:100::7'],
    admins: ['10.9.0.0/24'],
    health: { check: 'off' },
  };
}

/** A director of many services in a network namespace of its own. */
export class ManyServices {
  readonly directory: string;
  readonly #namespace: string;
  #process: LabProcess | undefined;

  readonly #count: number;

  private constructor(directory: string, namespace: string, count: number) {
    this.directory = directory;
    this.#namespace = namespace;
    this.#count = count;
  }

  /** Nothing is started yet. */
  static async create(count: number): Promise<ManyServices> {
    const directory = await mkdtemp(join(tmpdir(), 'director-many-'));
    const many = new ManyServices(directory, labName(), count);
    await mkdir(`${directory}/state`);
    await many.configure();
    await addNamespace(many.#namespace);
    await many.must('ip', 'link', 'add', UPLINK, 'type', 'bridge');
    for (const link of ['lo', UPLINK]) await many.must('ip', 'link', 'set', link, 'up');
    return many;
  }

  /** Writes the file; `changes`: services that are otherwise than their number says. Who runs learns of it by a reload. */
  async configure(changes: Readonly<Record<string, Record<string, unknown>>> = {}): Promise<void> {
    const host = {
      listen: { socket: this.socket },
      state: `${this.directory}/state`,
      uplink: UPLINK,
      // It measures a bridge in namespaces of its own, which would be counted.
      cpu: { meter: 'off' },
    };
    const services = Array.from({ length: this.#count }, (_, n) => {
      const fields = Object.entries({ ...definition(n), ...changes[`s${n}`] });
      // JSON is YAML, and is written in no time.
      const lines = fields.map(([name, value]) => `    ${name}: ${JSON.stringify(value)}\n`);
      return `  s${n}:\n${lines.join('')}`;
    });
    await writeFile(this.#config, `${stringify(host)}services:\n${services.join('')}`);
  }

  /** The kernel removes with the namespace all that is in it. */
  async destroy(): Promise<void> {
    await this.stop();
    await deleteNamespace(this.#namespace);
    await rm(this.directory, { recursive: true, force: true });
  }

  get socket(): string {
    return `${this.directory}/director.sock`;
  }

  get #config(): string {
    return `${this.directory}/director.yaml`;
  }

  get #log(): string {
    return `${this.directory}/director.log`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** A command in the namespace that has to succeed; answers its standard output. */
  must(...argv: readonly string[]): Promise<string> {
    return must(inNamespace(this.#namespace, argv));
  }

  /** `before`: what the daemon is started by, such as strace with its arguments. Answers milliseconds until ready. */
  async start(before: readonly string[] = []): Promise<number> {
    const argv = [...before, ...DIRECTOR, 'serve', '--config', this.#config];
    const began = performance.now();
    this.#process = startProcess(inNamespace(this.#namespace, argv), { log: this.#log });
    while (!(await this.#ready())) {
      if (this.#process.ended || performance.now() - began > READY_WITHIN)
        throw new Error(`it is not ready: ${await readFile(this.#log, 'utf8')}`);
      await sleep(5);
    }
    return performance.now() - began;
  }

  /** Until everything has been looked at once more. */
  async settled(): Promise<void> {
    const lookedAt = async (): Promise<number | null> =>
      (await Metrics.of(this.socket)).value('reconcile_last_success_timestamp_seconds', {});
    const before = await lookedAt();
    await until('everything is looked at', async () => (await lookedAt()) !== before, 90_000);
  }

  async #ready(): Promise<boolean> {
    const answer = await callApi(this.socket, 'GET', '/readyz').catch(() => null);
    return answer?.status === 200;
  }

  async stop(): Promise<void> {
    await this.#process?.stop('SIGTERM', 30_000);
    this.#process = undefined;
  }
}

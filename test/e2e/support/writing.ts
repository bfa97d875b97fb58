import { fileURLToPath } from 'node:url';
import type { LabProcess } from '../../../src/lab/process.ts';
import type { World } from '../../../src/lab/world.ts';

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const READY = 15_000;

/** What a DomU was sent: the numbers of the writes, as its server was given them. */
export class Recorder {
  readonly numbers: Readonly<Record<'tcp' | 'udp', number[]>> = { tcp: [], udp: [] };

  static async start(world: World, domu: string, port: number): Promise<Recorder> {
    const server = world.spawn(domu, [process.execPath, script('recorder.mjs'), `${port}`]);
    const recorder = new Recorder();
    server.onLine((line) => recorder.#note(line));
    await server.line((line) => line === 'ready', READY);
    return recorder;
  }

  #note(line: string): void {
    const [, protocol, number] = /^(tcp|udp) (\d+)$/.exec(line) ?? [];
    if (protocol === 'tcp' || protocol === 'udp') this.numbers[protocol].push(Number(number));
  }

  forget(): void {
    this.numbers.tcp.length = 0;
    this.numbers.udp.length = 0;
  }
}

export interface WritersSummary {
  /** How often a connection that was kept was ended by the other side. */
  readonly cut: number;
  /** The errno of every connection that could not be opened. */
  readonly failed: readonly string[];
}

/** A client that writes numbers to these addresses all the time; see writers.mjs. */
export class Writers {
  readonly #process: LabProcess;

  private constructor(process: LabProcess) {
    this.#process = process;
  }

  static async start(
    world: World,
    client: string,
    options: { hosts: readonly string[]; port: number; kept: number },
  ): Promise<Writers> {
    const argv = [process.execPath, script('writers.mjs'), JSON.stringify(options)];
    const writers = new Writers(world.spawn(client, argv));
    await writers.#process.line((line) => line === 'writing', READY);
    return writers;
  }

  async stop(): Promise<WritersSummary> {
    const summary = this.#process.line((line) => line.startsWith('{'), READY);
    this.#process.signal('SIGTERM');
    return JSON.parse(await summary) as WritersSummary;
  }
}

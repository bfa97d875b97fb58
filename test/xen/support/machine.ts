import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, createWriteStream, openSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { must } from '../../../src/lab/run.ts';
import { qemuArgv } from './emulator.ts';
import type { Parts, Ports } from './emulator.ts';
import { Qmp } from './qmp.ts';

/** A machine that was stopped: what is on its disk, and what was in its memory at that moment. */
export interface Snapshot {
  readonly disk: string;
  readonly memory: string;
}

/** What QEMU inherits: the file that its memory comes from. */
const MEMORY_FROM = 3;
const SAVED_WITHIN = 120_000;

/** An emulated machine with Xen on it. It ends when its Dom0 halts or reboots, and with this process. */
export class Machine {
  readonly ports: Ports;
  readonly console: string;
  /** With what QEMU ended, and what it wrote. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #monitor: string;
  #over = false;

  private constructor(child: ChildProcess, { directory }: Parts, ports: Ports) {
    this.ports = ports;
    this.console = join(directory, 'console.log');
    this.#child = child;
    this.#monitor = join(directory, 'monitor');
    this.ended = new Promise<number | null>((resolve) => {
      child.once('error', () => resolve(127)).once('exit', resolve);
    }).then(async (code) => {
      this.#over = true;
      return `QEMU has ended with ${code}: ${await readFile(join(directory, 'qemu.log'), 'utf8')}`;
    });
  }

  /** Boots it; or, with the memory of a snapshot, lets it go on: `disk` must then be one over the snapshot's. */
  static async start(parts: Parts, memory?: string): Promise<Machine> {
    const ports = { commands: await freePort(), director: await freePort() };
    await appendFile(join(parts.directory, 'console.log'), '');
    const incoming = memory === undefined ? [] : ['-incoming', `fd:${MEMORY_FROM}`];
    const log = openSync(join(parts.directory, 'qemu.log'), 'a');
    const source = openSync(memory ?? '/dev/null', 'r');
    try {
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...qemuArgv(parts, ports), ...incoming], {
        stdio: ['ignore', log, log, source],
      });
      const machine = new Machine(child, parts, ports);
      if (memory !== undefined) await machine.#goOn();
      return machine;
    } finally {
      closeSync(log);
      closeSync(source);
    }
  }

  get over(): boolean {
    return this.#over;
  }

  /** A snapshot's machine was stopped, and is so when its memory is back. */
  async #goOn(): Promise<void> {
    const qmp = await this.#control();
    try {
      while (((await qmp.execute('query-status')) as { status: string }).status === 'inmigrate')
        await sleep(50);
      await qmp.execute('cont');
    } finally {
      qmp.end();
    }
  }

  /** QEMU's monitor is there a moment after QEMU. */
  async #control(): Promise<Qmp> {
    for (;;) {
      const qmp = await Qmp.connect(this.#monitor).catch(() => null);
      if (qmp !== null) return qmp;
      if (this.#over) throw new Error(await this.ended);
      await sleep(20);
    }
  }

  /** Ends it, with its memory in a file. Where that fails it goes on. */
  async save(file: string): Promise<void> {
    const qmp = await this.#control();
    const way = `${this.#monitor}-memory`;
    const received = await receive(way, file);
    try {
      await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
      await qmp.execute('stop');
      await qmp.execute('migrate', { uri: `unix:${way}` });
      await this.#migrated(qmp);
      await received.whole;
      await qmp.execute('quit').catch(() => undefined);
    } catch (error) {
      await qmp.execute('cont').catch(() => undefined);
      throw error;
    } finally {
      qmp.end();
      received.close();
    }
    await this.ended;
  }

  async #migrated(qmp: Qmp): Promise<void> {
    const deadline = Date.now() + SAVED_WITHIN;
    for (;;) {
      const { status } = (await qmp.execute('query-migrate')) as { status?: string };
      if (status === 'completed') return;
      if (status === 'failed' || Date.now() > deadline)
        throw new Error(`the machine's memory was not saved; QEMU calls that "${status ?? 'not begun'}"`);
      await sleep(50);
    }
  }

  /** As pulling the plug would. */
  async end(): Promise<void> {
    if (!this.#over) this.#child.kill('SIGKILL');
    await this.ended;
  }
}

/** A disk that begins as `base` is, and leaves it as it is. */
export async function diskOver(base: string, format: 'raw' | 'qcow2', disk: string): Promise<void> {
  await must(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', format, disk]);
}

/** A unix socket; what somebody writes to it goes to the file. */
async function receive(path: string, file: string): Promise<{ whole: Promise<void>; close: () => void }> {
  const server = createServer();
  const whole = new Promise<void>((resolve, reject) => {
    server.once(
      'connection',
      (socket) => void pipeline(socket, createWriteStream(file)).then(resolve, reject),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
  return { whole, close: () => server.close() };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  return port;
}

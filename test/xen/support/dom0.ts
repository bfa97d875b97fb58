import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from './machine.ts';

export interface CommandOptions {
  readonly stdin?: string;
  /** Seconds. */
  readonly timeout?: number;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const PATIENCE_S = 60;
/** What a busy agent takes beside. */
const AGENT_S = 30;

/** The Dom0 of a running machine: commands are run in it by its agent. */
export class Dom0 {
  readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** Any exit code is an answer; rejects where nobody answers. */
  async run(
    argv: readonly string[],
    { stdin = '', timeout = PATIENCE_S }: CommandOptions = {},
  ): Promise<CommandResult> {
    const line = await this.#tell(JSON.stringify({ argv, stdin, timeout }), (timeout + AGENT_S) * 1000);
    return JSON.parse(line) as CommandResult;
  }

  /** A command that has to succeed; answers what it printed. */
  async must(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv, options);
    if (code === 0) return stdout;
    throw new Error(`"${argv.join(' ')}" ended with ${code} in the Dom0: ${stderr}${stdout}`);
  }

  async write(file: string, text: string, mode = '644'): Promise<void> {
    await this.must(['install', '-D', '-m', mode, '/dev/stdin', file], { stdin: text });
  }

  read(file: string): Promise<string> {
    return this.must(['cat', file]);
  }

  /** Resolves when commands are answered and `isSo` is. Throws after `timeout` seconds, or when the machine has ended. */
  async until(what: string, isSo: () => Promise<boolean>, timeout = 120): Promise<void> {
    const deadline = Date.now() + timeout * 1000;
    let last: unknown;
    for (;;) {
      const so = await isSo().catch((error: unknown) => void (last = error));
      if (so === true) return;
      if (this.machine.over) throw new Error(`${await this.machine.ended}; it was waited for: ${what}`);
      if (Date.now() > deadline) throw new Error(`not so after ${timeout} s: ${what}`, { cause: last });
      await sleep(500);
    }
  }

  #tell(order: string, timeout: number): Promise<string> {
    return new Promise((resolve, reject) => {
      let said = '';
      const socket = connect({ host: '127.0.0.1', port: this.machine.ports.commands, timeout });
      socket.setEncoding('utf8').on('data', (text: string) => (said += text));
      socket.on('error', reject);
      socket.on('timeout', () => socket.destroy(new Error(`the Dom0 has not answered within ${timeout} ms`)));
      socket.on('close', () => {
        if (said.endsWith('\n')) resolve(said);
        else reject(new Error("the Dom0's agent has not answered"));
      });
      socket.write(`${order}\n`);
    });
  }
}

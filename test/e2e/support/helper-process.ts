import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNamespace } from '../../../src/lab/namespaces.ts';
import { METER_HELPER } from './scripts.ts';

const PATIENCE = 10_000;

/** The meter's helper, spoken to without the meter. */
export class HelperProcess {
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];

  private constructor(namespace: string, argv: readonly string[]) {
    const [file = '', ...rest] = inNamespace(namespace, [METER_HELPER, ...argv]);
    this.#child = spawn(file, rest, { stdio: 'pipe' });
    this.exited = new Promise((resolve) => this.#child.once('exit', resolve));
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#lines.push(line));
    this.#child.stdin.on('error', () => undefined);
  }

  /** `way`: tcx or clsact. */
  static async hooks(namespace: string, way: string): Promise<HelperProcess> {
    const helper = new HelperProcess(namespace, ['hooks', way]);
    await helper.line(`ready ${way}`);
    return helper;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Asks; resolves with the answer. */
  async ask(line: string): Promise<string[]> {
    this.#lines.splice(0);
    this.write(line);
    await this.line('done ');
    return this.#lines.splice(0);
  }

  write(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  async line(start: string): Promise<void> {
    await until(() => Promise.resolve(this.#lines.some((line) => line.startsWith(start))));
  }

  /** Its input ends, as when the daemon does. */
  async end(): Promise<number | null> {
    this.#child.stdin.end();
    return this.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`it did not come to that within ${PATIENCE} ms`);
    await sleep(20);
  }
}

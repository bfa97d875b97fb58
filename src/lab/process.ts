import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { DirectorError } from '../lib/errors.ts';
import { exitCode, killGroup } from './run.ts';

export interface ProcessOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** A file that all output is appended to; without it the lines of standard output go to `onLine`. */
  readonly log?: string;
}

const REMEMBERED = 16_384;

/** A long-running program and the process group that it leads. */
export class LabProcess {
  readonly pid: number;
  /** Its exit code (128 + n for signal n), when it has ended. Never rejects. */
  readonly exited: Promise<number>;
  /** The same, when all of its lines have been told too. */
  readonly closed: Promise<number>;
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(line: string) => void>();
  #stderr = '';
  #ended = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.exited = new Promise((resolve) => {
      child.once('error', () => resolve(127));
      child.once('exit', (code, signal) => resolve(exitCode(code, signal)));
    });
    void this.exited.then(() => (this.#ended = true));
    this.closed = new Promise<void>((resolve) => child.once('close', () => resolve())).then(
      () => this.exited,
    );
    child.stdin?.on('error', () => undefined);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-REMEMBERED);
    });
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        for (const listener of [...this.#listeners]) listener(line);
      });
    }
  }

  /** The end of what it wrote to standard error (none where it goes to a log). */
  get stderr(): string {
    return this.#stderr;
  }

  get ended(): boolean {
    return this.#ended;
  }

  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The first line from now on that `wanted` accepts. Rejects when the process ends before, or after `timeout` ms. */
  line(wanted: (line: string) => boolean, timeout: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        off();
        act();
      };
      const fail = (what: string): void =>
        settle(() => reject(new DirectorError(`process ${this.pid} ${what}: ${this.#stderr.trim()}`)));
      const timer = setTimeout(() => fail(`has not answered within ${timeout} ms`), timeout);
      const off = this.onLine((line) => {
        if (wanted(line)) settle(() => resolve(line));
      });
      void this.exited.then((code) => fail(`has ended with ${code}`));
    });
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#ended) this.#child.kill(signal);
  }

  /** Ends it and whatever it has started: asked first, killed after `patience` ms. Answers its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patience = 3000): Promise<number> {
    if (!this.#ended) killGroup(this.pid, signal);
    const timer = setTimeout(() => killGroup(this.pid, 'SIGKILL'), patience);
    const code = await this.exited;
    clearTimeout(timer);
    killGroup(this.pid, 'SIGKILL');
    return code;
  }
}

export function startProcess(argv: readonly string[], options: ProcessOptions = {}): LabProcess {
  const [file = '', ...args] = argv;
  const log = options.log === undefined ? null : openSync(options.log, 'a');
  const output = log ?? 'pipe';
  try {
    const child = spawn(file, args, {
      detached: true,
      stdio: ['pipe', output, output],
      env: options.env ?? process.env,
    });
    return new LabProcess(child);
  } finally {
    if (log !== null) closeSync(log);
  }
}

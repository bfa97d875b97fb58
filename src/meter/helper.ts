import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { DirectorError } from '../lib/errors.ts';

/** Milliseconds without an answer until the helper counts as hung, and is ended. */
const PATIENCE = 10_000;
/** And until one that is asked to end is ended. */
const GRACE = 2000;

interface Waiting {
  readonly isLast: (line: string) => boolean;
  readonly lines: string[];
  readonly timer: NodeJS.Timeout;
  readonly resolve: (lines: string[]) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The native helper as a child: a line is asked, lines are answered. It ends with the pipe to it, and so with this
 * process, however that ends; what it had hooked is gone with it.
 */
export class Helper {
  readonly #child: ChildProcessWithoutNullStreams;
  #waiting: Waiting | null = null;
  #ended: DirectorError | null = null;
  readonly #exited: Promise<void>;

  private constructor(path: string, argv: readonly string[]) {
    this.#child = spawn(path, argv, { stdio: 'pipe', env: {} });
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) =>
        this.#end(new DirectorError(`it cannot be run: ${error.message}`)),
      );
      this.#child.once('close', (code, signal) => {
        this.#end(new DirectorError(`the helper ended (${signal ?? `exit code ${code ?? '?'}`})`));
        resolve();
      });
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#receive(line));
    this.#child.stderr.resume();
    // A helper that is gone is found out by its end, which says more.
    this.#child.stdin.on('error', () => undefined);
    this.#unref();
  }

  /** Starts it; resolves with what stands after `ready`. DirectorError with the reason where it refuses. */
  static async start(path: string, argv: readonly string[]): Promise<{ helper: Helper; ready: string }> {
    if (!existsSync(path)) {
      throw new DirectorError(`the native helper is not there (${path}); npm run build makes it, with cc`);
    }
    const helper = new Helper(path, argv);
    try {
      const [line = ''] = await helper.#wait(() => true);
      if (line.startsWith('ready ')) return { helper, ready: line.slice('ready '.length) };
      throw new DirectorError(line.replace(/^refused /, ''));
    } catch (error) {
      await helper.stop();
      throw error;
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Throws where it has ended, which nobody may have asked for. */
  mustLive(): void {
    if (this.#ended !== null) throw this.#ended;
  }

  /** One question at a time. The answer's lines, the last of which begins with `last`; `failed ...` is thrown. */
  async ask(line: string, last: string, within = PATIENCE): Promise<string[]> {
    const answer = this.#wait((each) => each.startsWith(`${last} `) || each.startsWith('failed '), within);
    this.#child.stdin.write(`${line}\n`);
    const lines = await answer;
    const failure = lines.at(-1) ?? '';
    if (failure.startsWith('failed ')) throw new DirectorError(failure.slice('failed '.length));
    return lines;
  }

  /** Resolves when it has ended and cleared up. */
  async stop(): Promise<void> {
    this.#child.stdin.end();
    const late = setTimeout(() => this.#child.kill('SIGKILL'), GRACE).unref();
    await this.#exited;
    clearTimeout(late);
  }

  #wait(isLast: Waiting['isLast'], within = PATIENCE): Promise<string[]> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== null || this.#waiting !== null) {
        reject(this.#ended ?? new DirectorError('the helper was asked twice at once'));
        return;
      }
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), within).unref();
      this.#waiting = { isLast, lines: [], timer, resolve, reject };
    });
  }

  #receive(line: string): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    waiting.lines.push(line);
    if (!waiting.isLast(line)) return;
    this.#settle();
    waiting.resolve(waiting.lines);
  }

  #end(reason: DirectorError): void {
    this.#ended ??= reason;
    const waiting = this.#settle();
    waiting?.reject(this.#ended);
  }

  #settle(): Waiting | null {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) clearTimeout(waiting.timer);
    return waiting;
  }

  /** It must not keep the daemon alive. */
  #unref(): void {
    this.#child.unref();
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      (stream as unknown as { unref?: () => void }).unref?.();
    }
  }
}

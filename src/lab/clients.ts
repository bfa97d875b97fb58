import { DirectorError } from '../lib/errors.ts';
import type { Answer, Question } from './ask.ts';
import type { AgentAnswer, AgentRequest } from './client.ts';
import type { HoldAnswer } from './hold.ts';
import { mergeLoads } from './load.ts';
import type { LoadSummary } from './load.ts';
import type { LabProcess } from './process.ts';

/** A client process that is asked again and again, so that a question costs no start of a process. */
export class Agent {
  readonly #process: LabProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  #next = 1;

  constructor(process: LabProcess) {
    this.#process = process;
    process.onLine((line) => {
      const { id, answer } = JSON.parse(line) as AgentAnswer;
      this.#waiting.get(id)?.resolve(answer);
      this.#waiting.delete(id);
    });
    void process.exited.then((code) => {
      for (const { reject } of this.#waiting.values()) reject(this.#gone(code));
      this.#waiting.clear();
    });
  }

  ask(question: Question): Promise<Answer> {
    if (this.#process.ended) return Promise.reject(this.#gone());
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.write(`${JSON.stringify({ id, question } satisfies AgentRequest)}\n`);
    });
  }

  #gone(code?: number): DirectorError {
    const how = code === undefined ? '' : ` with ${code}`;
    return new DirectorError(`the lab's client has ended${how}: ${this.#process.stderr.trim()}`);
  }
}

/** One connection (or one UDP source port) that is kept, and everything that it was answered. */
export class Held {
  readonly #process: LabProcess;
  readonly #answers: HoldAnswer[] = [];

  constructor(process: LabProcess) {
    this.#process = process;
    process.onLine((line) => this.#answers.push(JSON.parse(line) as HoldAnswer));
  }

  get answers(): readonly HoldAnswer[] {
    return this.#answers;
  }

  /** How it ended: `END`, or an errno's name; null while it lasts. */
  get ended(): string | null {
    return this.#answers.findLast(({ error }) => error !== null)?.error ?? null;
  }

  /** The first answer from now on that `wanted` accepts. */
  async next(wanted: (answer: HoldAnswer) => boolean = () => true, timeout = 5000): Promise<HoldAnswer> {
    const line = await this.#process.line((text) => wanted(JSON.parse(text) as HoldAnswer), timeout);
    return JSON.parse(line) as HoldAnswer;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}

/** Load from one or several processes. */
export class RunningLoad {
  readonly #processes: readonly LabProcess[];
  readonly #latest: (LoadSummary | undefined)[];

  constructor(processes: readonly LabProcess[]) {
    this.#processes = processes;
    this.#latest = processes.map(() => undefined);
    processes.forEach((process, i) =>
      process.onLine((line) => (this.#latest[i] = JSON.parse(line) as LoadSummary)),
    );
  }

  /** As of the last second; undefined before every process has said something. */
  get sofar(): LoadSummary | undefined {
    const said = this.#latest.filter((summary) => summary !== undefined);
    return said.length === this.#processes.length ? mergeLoads(said) : undefined;
  }

  /** Lets each process end its last connections, and sums up. */
  async stop(): Promise<LoadSummary> {
    await Promise.all(this.#processes.map((process) => process.stop('SIGTERM', 5000)));
    return this.ended();
  }

  /** The sum, when every process has ended by itself (after `for` ms). */
  async ended(): Promise<LoadSummary> {
    const codes = await Promise.all(this.#processes.map((process) => process.closed));
    const failed = codes.findIndex((code) => code !== 0);
    if (failed !== -1) {
      const said = this.#processes[failed]?.stderr.trim() ?? '';
      throw new DirectorError(`load ended with ${codes[failed] ?? ''} before it had summed up: ${said}`);
    }
    return mergeLoads(this.#latest.filter((summary) => summary !== undefined));
  }
}

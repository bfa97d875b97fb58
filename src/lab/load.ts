import { connect, isIPv6 } from 'node:net';
import { errorCode } from './ask.ts';

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  /** How many connect back to back, side by side, in this process. */
  readonly workers: number;
  /** Milliseconds between two connections of a worker; without it none. */
  readonly pause?: number;
}

/** From `at` on (milliseconds since the epoch), this worker's connections reached `domu`. */
export interface Transition {
  readonly at: number;
  readonly domu: string;
}

export interface LoadSummary {
  readonly from: number;
  readonly to: number;
  readonly connections: number;
  readonly byDomu: Readonly<Record<string, number>>;
  /** By errno's name; `EMPTY`: closed without a word. */
  readonly failures: Readonly<Record<string, number>>;
  /** The longest that one connection took, in milliseconds. */
  readonly slowest: number;
  /** For each worker, in the order in which it happened. A clean switch leaves each at most one step per switch. */
  readonly workers: readonly (readonly Transition[])[];
}

const PATIENCE = 2000;

/** Connects back to back until it is stopped. Lean: what is done per connection limits what can be measured. */
export class Load {
  readonly #options: LoadOptions;
  readonly #byDomu = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  readonly #workers: Transition[][];
  readonly #from = Date.now();
  #slowest = 0;
  #open = 0;
  #stopping = false;
  #idle: () => void = () => undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#workers = Array.from({ length: options.workers }, () => []);
    for (const transitions of this.#workers) this.#work(transitions);
  }

  /** Lets open connections end (at most 2 s; later ones count as nothing), then sums up. */
  async stop(): Promise<LoadSummary> {
    this.#stopping = true;
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
        setTimeout(resolve, PATIENCE);
      });
    }
    return this.summary();
  }

  summary(): LoadSummary {
    const sum = (counts: Map<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);
    return {
      from: this.#from,
      to: Date.now(),
      connections: sum(this.#byDomu),
      byDomu: Object.fromEntries(this.#byDomu),
      failures: Object.fromEntries(this.#failures),
      slowest: Math.round(this.#slowest * 1000) / 1000,
      workers: this.#workers,
    };
  }

  #work(transitions: Transition[]): void {
    const { host, port, pause } = this.#options;
    const family = isIPv6(host) ? 6 : 4;
    const buffer = Buffer.allocUnsafe(512);
    let name = '';
    let last = Buffer.alloc(0);
    let received = 0;
    let failure = '';
    let began = 0;
    const onread = {
      buffer,
      callback: (bytes: number): boolean => {
        received += bytes;
        return true;
      },
    };
    const onError = (error: Error): void => void (failure = errorCode(error));
    const onClose = (): void => {
      this.#slowest = Math.max(this.#slowest, performance.now() - began);
      this.#open--;
      const answer = buffer.subarray(0, received);
      if (failure !== '' || received === 0) count(this.#failures, failure || 'EMPTY');
      else if (!answer.equals(last)) {
        last = Buffer.from(answer);
        name = answer.toString('utf8').split(' ', 1)[0] ?? '';
        transitions.push({ at: Date.now(), domu: name });
      }
      if (failure === '' && received > 0) count(this.#byDomu, name);
      if (this.#stopping) {
        if (this.#open === 0) this.#idle();
      } else if (pause === undefined) setImmediate(next);
      else setTimeout(next, pause);
    };
    const next = (): void => {
      if (this.#stopping) return;
      received = 0;
      failure = '';
      began = performance.now();
      this.#open++;
      // Closed as soon as the server has: without a shutdown(2) of its own, a tenth less work a connection.
      const socket = connect({ host, port, family, onread, allowHalfOpen: true });
      socket.on('error', onError).on('close', onClose);
      socket.on('end', () => socket.destroy());
    };
    next();
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sumOf(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums = new Map<string, number>();
  for (const [key, value] of all.flatMap(Object.entries) as [string, number][]) {
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return Object.fromEntries(sums);
}

/** What several processes saw, as one. */
export function mergeLoads(summaries: readonly LoadSummary[]): LoadSummary {
  return {
    from: Math.min(...summaries.map(({ from }) => from)),
    to: Math.max(...summaries.map(({ to }) => to)),
    connections: summaries.reduce((all, { connections }) => all + connections, 0),
    byDomu: sumOf(summaries.map(({ byDomu }) => byDomu)),
    failures: sumOf(summaries.map(({ failures }) => failures)),
    slowest: Math.max(...summaries.map(({ slowest }) => slowest)),
    workers: summaries.flatMap(({ workers }) => workers),
  };
}

import type { Clock } from '../lib/clock.ts';
import type { Finding } from './finding.ts';

/** Milliseconds. A host that starts has much to do at first, and is not yet as it will be. */
const FIRST_AFTER = 10_000;
const EVERY = 600_000;

interface Options {
  /** Never rejects: what cannot be looked at is a finding. */
  readonly examine: (signal: AbortSignal) => Promise<readonly Finding[]>;
  readonly clock: Clock;
  /** What was not found the time before, and is not ok. */
  readonly onNew: (finding: Finding) => void;
}

/** What is mended alike is the same, though its figures may have changed. */
const sameAs = ({ check, grade, what, command }: Finding): string => `${check} ${grade} ${command ?? what}`;

/** The daemon's own doctor: looks soon, and then every ten minutes. What it found last is there for the metrics. */
export class Checkup {
  readonly #options: Options;
  #findings: readonly Finding[] | null = null;
  #cancel: (() => void) | null = null;
  readonly #stopped = new AbortController();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Null until the first look is over. */
  get findings(): readonly Finding[] | null {
    return this.#findings;
  }

  start(): void {
    this.#lookAfter(FIRST_AFTER);
  }

  #lookAfter(ms: number): void {
    this.#cancel = this.#options.clock.after(ms, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { signal } = this.#stopped;
    const before = new Set(this.#findings?.map(sameAs));
    const findings = await this.#options.examine(signal);
    if (signal.aborted) return;
    this.#findings = findings;
    for (const finding of findings)
      if (finding.grade !== 'ok' && !before.has(sameAs(finding))) this.#options.onNew(finding);
    this.#lookAfter(EVERY);
  }

  stop(): void {
    this.#stopped.abort();
    this.#cancel?.();
  }
}

import { OPERATIONS } from './operations.ts';
import type { Operation } from './operations.ts';
import { ANSWERED, SYSCALLS } from './weapons.ts';
import type { Moment, Syscall } from './weapons.ts';

export interface Aimed {
  readonly operation: Operation;
  readonly moment: Moment;
  /** In the start that follows. */
  readonly again?: Moment;
}

/** Numbers in [0, 1) that are the same in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Where the steps of an operation are not known yet, as many of a kind are tried. */
const UNKNOWN = 48;
const AT_START = 150;
const SPREAD = 4;

/** Chooses where to strike next: every operation in turn, step by step, and at random moments of its time. */
export class Schedule {
  readonly #random: () => number;
  /** By operation and system call: how many an operation makes at most, as far as is known. */
  readonly #steps = new Map<string, number>();
  readonly #next = new Map<string, number>();
  readonly #took = new Map<string, number>();

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  *aims(): Generator<Aimed> {
    for (let round = 0; ; round++) {
      for (const operation of OPERATIONS) {
        const moment = this.#moment(operation, round);
        const twice = round % 5 === 3 && operation.name !== 'start' && operation.name !== 'expiry';
        yield { operation, moment, ...(twice ? { again: this.#atStart() } : {}) };
      }
    }
  }

  /** What a strike has told: an operation that lived makes fewer of these calls. */
  learn({ operation, moment }: Aimed, { hit, took }: { hit: boolean; took: number }): void {
    if (hit) return;
    this.#took.set(operation.name, Math.max(this.#took.get(operation.name) ?? 0, took));
    if ('after' in moment) return;
    this.#steps.set(keyOf(operation, moment.syscall), Math.max(moment.nth - 1, 1));
  }

  #moment(operation: Operation, round: number): Moment {
    const turn = round % (SYSCALLS.length + 2);
    if (turn === 0) return ANSWERED;
    const kind = SYSCALLS[turn - 1];
    return kind === undefined ? this.#anyTime(operation) : this.#step(operation, kind);
  }

  #anyTime(operation: Operation): Moment {
    const took = this.#took.get(operation.name) ?? 150;
    return { after: Math.round(this.#random() * took * 1.1) };
  }

  /** fsync and clone, which are few, one after another; of what there is much, any. */
  #step(operation: Operation, syscall: Syscall): Moment {
    const key = keyOf(operation, syscall);
    const steps = this.#steps.get(key) ?? (operation.name === 'start' ? AT_START : UNKNOWN);
    if (syscall !== 'fsync' && syscall !== 'clone')
      return { syscall, nth: 1 + Math.floor(this.#random() * steps) };
    // Not all at their first step in a short run.
    const nth = (this.#next.get(key) ?? OPERATIONS.indexOf(operation) % SPREAD) + 1;
    this.#next.set(key, nth > steps ? 0 : nth);
    return { syscall, nth };
  }

  #atStart(): Moment {
    const syscall = SYSCALLS[Math.floor(this.#random() * SYSCALLS.length)]!;
    const most = syscall === 'fsync' || syscall === 'clone' ? 6 : AT_START;
    return { syscall, nth: 1 + Math.floor(this.#random() * most) };
  }
}

const keyOf = ({ name }: Operation, syscall: Syscall): string => `${name} ${syscall}`;

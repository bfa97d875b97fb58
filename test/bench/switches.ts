import { messageOf } from '../../src/lib/errors.ts';
import { run } from '../../src/lab/run.ts';
import { inNamespace } from '../../src/lab/namespaces.ts';
import { startProcess } from '../../src/lab/process.ts';
import { turned } from './contenders.ts';
import type { Contender } from './contenders.ts';
import { flip } from './flips.ts';
import type { Flip } from './flips.ts';

/** One way to measure a switch. */
export interface Case {
  /** How many services there are, and how many of them are moved: the first ones. */
  readonly services: number;
  readonly moved: number;
  readonly clients: number;
  /** Another program holds /run/xtables.lock meanwhile. */
  readonly locked?: boolean;
  /** So many connections, ended not long ago, are still in conntrack. */
  readonly flows?: number;
}

export interface CaseResult extends Case {
  readonly peer: string;
  readonly flips: readonly Flip[];
  /** What went wrong so that no more could be measured; the others went on. */
  readonly failure?: string;
}

export interface Effort {
  readonly rounds: number;
  /** There and back so many times in a round. */
  readonly each: number;
  /** Milliseconds: nobody has more than this for a case, but one round; and so long may a request take. */
  readonly budget: number;
  readonly limit: number;
}

const LOCK = '/run/xtables.lock';
/** A request that waits for the lock is given up after so long; what waits is waited for so often. */
const LOCKED_LIMIT_MS = 2000;
const LOCKED_ROUNDS = 3;

/** All peers in turn, round by round. */
export async function takeCase(
  contenders: readonly Contender[],
  which: Case,
  effort: Effort,
): Promise<CaseResult[]> {
  const all = contenders.map((contender) => ({ contender, flips: [] as Flip[], spent: 0, failure: '' }));
  const rounds = which.locked === true ? Math.min(effort.rounds, LOCKED_ROUNDS) : effort.rounds;
  for (let round = 0; round < rounds; round++) {
    for (const one of turned(all, round)) {
      if (one.spent > effort.budget || one.failure !== '') continue;
      const since = performance.now();
      try {
        one.flips.push(...(await takeOne(one.contender, which, effort)));
      } catch (error) {
        one.failure = messageOf(error);
      }
      one.spent += performance.now() - since;
    }
  }
  return all.map(({ contender, flips, failure }) => ({
    ...which,
    peer: contender.peer.name,
    flips,
    ...(failure === '' ? {} : { failure }),
  }));
}

async function takeOne({ peer, place }: Contender, which: Case, effort: Effort): Promise<Flip[]> {
  const moved = Array.from({ length: which.moved }, (_, n) => n);
  const { clients, locked = false } = which;
  const limit = locked ? LOCKED_LIMIT_MS : effort.limit;
  const release = locked ? await lock(place.ns('dom0')) : () => Promise.resolve();
  try {
    return await flip(peer, place, { moved, clients, rounds: locked ? 1 : effort.each, limit });
  } finally {
    await release();
  }
}

/** As any iptables that has not come to its end. */
async function lock(namespace: string): Promise<() => Promise<void>> {
  const holder = startProcess(inNamespace(namespace, ['flock', LOCK, 'sh', '-c', 'echo held; exec cat']));
  await holder.line((line) => line === 'held', 10_000);
  return async () => {
    await holder.stop('SIGKILL');
    // Whoever is ended has let go of it.
    await run(['flock', '-w', '10', LOCK, 'true']);
  };
}

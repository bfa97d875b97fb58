import { turned } from './contenders.ts';
import type { Contender } from './contenders.ts';
import { serviceAddress, serviceAddress6 } from './numbering.ts';
import type { Peer } from './peers/peer.ts';
import { work } from './works.ts';
import type { Kind, Worked } from './works.ts';

export interface PathCase {
  readonly services: number;
  readonly kind: Kind;
  /** Which service of the list. */
  readonly at: 'first' | 'last';
  readonly family: 4 | 6;
  readonly amount: number;
}

export interface PathResult extends PathCase {
  readonly peer: string;
  readonly works: readonly Worked[];
}

const canDo =
  ({ kind, family }: PathCase) =>
  ({ peer }: Contender): boolean =>
    !(kind === 'datagrams' && peer.streamsOnly === true) && !(family === 6 && peer.ipv6 !== true);

/** All peers that can do it in turn, round by round. */
export async function takePath(
  all: readonly Contender[],
  which: PathCase,
  rounds: number,
): Promise<PathResult[]> {
  const contenders = all.filter(canDo(which));
  const works = new Map<Contender, Worked[]>(contenders.map((contender) => [contender, []]));
  const n = which.at === 'first' ? 0 : which.services - 1;
  for (let round = 0; round < rounds; round++) {
    for (const contender of turned(contenders, round)) {
      const address = addressOf(contender.peer, n, which.family);
      works.get(contender)?.push(await work(contender.place, which.kind, which.amount, address));
    }
  }
  return contenders.map((contender) => ({
    ...which,
    peer: contender.peer.name,
    works: works.get(contender) ?? [],
  }));
}

function addressOf(peer: Peer, n: number, family: 4 | 6): string {
  if (family === 6) return peer.address6?.(n) ?? serviceAddress6(n);
  return peer.address?.(n) ?? serviceAddress(n);
}

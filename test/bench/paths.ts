import { messageOf } from '../../src/lib/errors.ts';
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
  /** What went wrong so that no more could be measured; the others went on. */
  readonly failure?: string;
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
  const able = all.filter(canDo(which));
  const contenders = able.map((contender) => ({ contender, works: [] as Worked[], failure: '' }));
  const n = which.at === 'first' ? 0 : which.services - 1;
  for (let round = 0; round < rounds; round++) {
    for (const one of turned(contenders, round)) {
      if (one.failure !== '') continue;
      const { peer, place } = one.contender;
      try {
        one.works.push(await work(place, which.kind, which.amount, addressOf(peer, n, which.family)));
      } catch (error) {
        one.failure = messageOf(error);
      }
    }
  }
  return contenders.map(({ contender, works, failure }) => ({
    ...which,
    peer: contender.peer.name,
    works,
    ...(failure === '' ? {} : { failure }),
  }));
}

function addressOf(peer: Peer, n: number, family: 4 | 6): string {
  if (family === 6) return peer.address6?.(n) ?? serviceAddress6(n);
  return peer.address?.(n) ?? serviceAddress(n);
}

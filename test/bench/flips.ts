import { must } from '../../src/lab/run.ts';
import { PORT, serviceAddress } from './numbering.ts';
import type { Peer } from './peers/peer.ts';
import type { Place } from './place.ts';

/** One request and what its clients saw, as native/flip.c tells it; nanoseconds, −1 where it did not happen. */
export interface Flip {
  readonly way: 'forth' | 'back';
  readonly outcome: 'done' | 'refused' | 'late';
  readonly answer: number;
  /** What the answer itself says that its message to the kernel took; 0 where it says nothing. */
  readonly flip: number;
  readonly first: number;
  readonly last: number;
  readonly misdirected: number;
  readonly lost: number;
  readonly connections: number;
}

export interface FlipOptions {
  /** Whom to move: so many, from the first one on; or these. */
  readonly moved: readonly number[];
  /** Clients that connect back to back meanwhile. */
  readonly clients: number;
  /** There and back so many times. */
  readonly rounds: number;
  /** Milliseconds, after which a request is given up. */
  readonly limit: number;
}

/** Between two requests, for what whoever was asked has still to do: nobody switches without a pause. */
const PAUSE_MS = 100;

export async function flip(peer: Peer, place: Place, options: FlipOptions): Promise<Flip[]> {
  const { moved, clients, rounds, limit } = options;
  const forth = peer.move(place, moved, 'b');
  const back = peer.move(place, moved, 'a');
  const files = [await place.write('forth', forth.payload), await place.write('back', back.payload)];
  const watched = place.witnesses
    .filter((n) => moved.includes(n))
    .map((n) => peer.address?.(n) ?? serviceAddress(n));
  const ends = [place.ns('client'), place.ns('dom0')];
  const numbers = [clients, rounds, limit, PAUSE_MS, PORT].map(String);
  const ways = [forth.how, files[0] ?? '', back.how, files[1] ?? ''];
  const patience = (2 * (limit + 8000) + PAUSE_MS) * rounds;
  const text = await must([place.programs.flip, ...ends, ...numbers, ...ways, ...watched], {
    timeout: patience,
  });
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Flip);
}

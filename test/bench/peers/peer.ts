import type { Side } from '../numbering.ts';
import type { Place } from '../place.ts';

/** A request that changes where clients are sent, in the words of native/action.h. */
export interface Action {
  readonly how: string;
  readonly payload: string;
}

/** Whoever directs clients to DomUs. */
export interface Peer {
  /** What it is called in tables. */
  readonly name: string;
  /** It moves no clients by itself: there is nothing to switch. */
  readonly still?: true;
  /** It moves the first service only: each has daemons of its own. */
  readonly single?: true;
  /** UDP is nothing that it can do. */
  readonly streamsOnly?: true;
  readonly ipv6?: true;
  /** It makes a bridge for each service, which others find or do not need: so many times as long it may take to start. */
  readonly patience?: number;
  /** How many rules, elements and so on it has; the first DomU of each service has everybody. `within`: milliseconds. */
  start(place: Place, services: number, within: number): Promise<void>;
  /** Where clients ask for a service. */
  address?(n: number): string;
  address6?(n: number): string;
  move(place: Place, services: readonly number[], to: Side): Action;
}

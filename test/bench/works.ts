import { must } from '../../src/lab/run.ts';
import { PORT } from './numbering.ts';
import type { Place } from './place.ts';

export const KINDS = ['connections', 'requests', 'bulk', 'datagrams'] as const;
export type Kind = (typeof KINDS)[number];

/** What native/work.c tells; nanoseconds. `busy`: of all CPUs of the machine, both ends included. */
export interface Worked {
  readonly done: number;
  readonly lost: number;
  readonly wall: number;
  readonly busy: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** Who answered, and which source address the DomU saw; empty where nobody says so. */
  readonly greeting: string;
}

export const CLIENTS = 4;

export async function work(place: Place, kind: Kind, amount: number, address: string): Promise<Worked> {
  const argv = [place.ns('client'), kind, String(amount), String(CLIENTS), address, String(PORT)];
  return JSON.parse(await must([place.programs.work, ...argv], { timeout: 60_000 })) as Worked;
}

import type { MeterMode } from './report.ts';

/** Packets that came in by one port and left by another, and how long this host's CPU was at them. */
export interface Pair {
  /** Interface indexes. */
  readonly in: number;
  readonly out: number;
  readonly packets: number;
  /** In all, of `packets`. */
  readonly nanos: number;
  /** Packets whose time is not known, since the CPU was taken away meanwhile; not in `packets`. */
  readonly clipped: number;
}

/** What one measurement found. */
export interface Measurement {
  readonly pairs: readonly Pair[];
  /** Of all ports together, where packets are not told apart; seconds. */
  readonly total: { readonly cpuSeconds: number; readonly overheadSeconds: number } | null;
  /** Whether `pairs` are all packets there were, not a sample of them. */
  readonly complete: boolean;
  /** What measuring cost; seconds. */
  readonly costSeconds: number;
  readonly windows: number;
  readonly samples: number;
  /** Network softirqs of the whole host that were timed, in all; or why none could be. Null: nobody has tried. */
  readonly softirq: { readonly nanos: number; readonly runs: number } | { readonly refused: string } | null;
  /** What another way of measuring found in the same interval, to compare; seconds. */
  readonly check: { readonly cpuSeconds: number; readonly overheadSeconds: number } | null;
}

/** What can be hooked: indexes of the uplink and of the vifs, those with most packets first. */
export interface Ports {
  readonly uplink: number | null;
  readonly vifs: readonly number[];
  /** How many of them, from the first, carried anything in the last interval. */
  readonly busy: number;
}

/** One way of measuring. It throws where it cannot (any more); another is taken then. */
export interface Gauge {
  readonly mode: MeterMode;
  measure(ports: Ports): Promise<Measurement>;
  close(): Promise<void>;
}

export const NOTHING: Measurement = {
  pairs: [],
  total: null,
  complete: false,
  costSeconds: 0,
  windows: 0,
  samples: 0,
  softirq: null,
  check: null,
};

/** Measures nothing: what packets cost is taken from the model. */
export const modelGauge: Gauge = {
  mode: 'model',
  measure: () => Promise.resolve(NOTHING),
  close: () => Promise.resolve(),
};

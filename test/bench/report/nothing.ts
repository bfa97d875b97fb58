import type { Results } from '../results.ts';

/** A run in which nothing was measured. */
export const NOTHING: Results = {
  machine: {
    date: '2026-01-01',
    kernel: '6',
    cpu: 'one',
    cpus: 2,
    versions: {},
    syncMicros: 1,
    quick: true,
  },
  switches: [],
  paths: [],
  starts: [],
  absent: [],
  daemon: [],
  left: [],
};

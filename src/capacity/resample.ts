import { NO_LOAD, plus, times } from './load.ts';
import type { Load } from './load.ts';
import type { Sample } from './sadf.ts';

/** Length of a bucket. Seconds. */
export const STEP = 300;
export const DAY = 86_400;

/** The average over what is known of a stretch of time. */
export interface Stretch {
  /** Its begin; seconds since the epoch. */
  readonly at: number;
  /** How much of it is known. Seconds. */
  readonly seconds: number;
  readonly load: Load;
  /** Packets a second; null where nobody counted. */
  readonly packets: number | null;
}

/**
 * Samples of any lengths as averages over stretches of `step` seconds, in order of time. A sample that lies in several
 * is divided by time, so an average over all of them stays what it was.
 */
export function resample(samples: readonly Sample[], step = STEP): Stretch[] {
  const sums = new Map<number, Sum>();
  for (const sample of samples) {
    const begin = sample.end - sample.seconds;
    for (let at = Math.floor(begin / step) * step; at < sample.end; at += step) {
      const seconds = Math.min(sample.end, at + step) - Math.max(begin, at);
      sums.set(at, grown(sums.get(at), sample, seconds));
    }
  }
  return [...sums].map(([at, sum]) => meanOf(at, sum)).toSorted((a, b) => a.at - b.at);
}

interface Sum {
  readonly seconds: number;
  readonly load: Load;
  readonly packets: number;
  readonly packetSeconds: number;
}

function grown(
  { seconds: before, load, packets, packetSeconds }: Sum = {
    seconds: 0,
    load: NO_LOAD,
    packets: 0,
    packetSeconds: 0,
  },
  sample: Pick<Sample, 'load' | 'packets'>,
  seconds: number,
): Sum {
  return {
    seconds: before + seconds,
    load: plus(load, sample.load, seconds),
    packets: packets + (sample.packets ?? 0) * seconds,
    packetSeconds: packetSeconds + (sample.packets === null ? 0 : seconds),
  };
}

function meanOf(at: number, { seconds, load, packets, packetSeconds }: Sum): Stretch {
  return {
    at,
    seconds,
    load: times(load, 1 / seconds),
    packets: packetSeconds === 0 ? null : packets / packetSeconds,
  };
}

/**
 * Without those of which little is known: less than half of the best known one. A bucket with the few seconds after a
 * boot, or the one second of a new day that the last record of the old one ends in, would make peaks that are none.
 */
export function wellKnown(stretches: readonly Stretch[]): Stretch[] {
  const best = Math.max(...stretches.map(({ seconds }) => seconds));
  return stretches.filter(({ seconds }) => seconds * 2 >= best);
}

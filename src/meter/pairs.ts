import { DirectorError } from '../lib/errors.ts';
import type { Measurement, Pair } from './gauge.ts';

/**
 * The helper's answer (src/meter/native/hooks.c): `pair IN OUT PACKETS NANOS CLIPPED BYTES`..., `softirq NANOS RUNS` or
 * `nosoftirq REASON`, `done EVENTS LOST COST`.
 */
export function parsePairs(
  lines: readonly string[],
): Pick<Measurement, 'pairs' | 'costSeconds' | 'samples' | 'softirq'> {
  const pairs = lines.slice(0, -2).map(parsePair);
  const [, , , cost] = (lines.at(-1) ?? '').split(' ');
  return {
    pairs,
    softirq: parseSoftirq(lines.at(-2) ?? ''),
    costSeconds: numberIn(cost) / 1e9,
    samples: pairs.reduce((sum, { packets }) => sum + packets, 0),
  };
}

function parseSoftirq(line: string): Measurement['softirq'] {
  const [word, nanos, runs] = line.split(' ');
  if (word === 'nosoftirq') {
    return { refused: `the kernel lets nobody time softirqs: ${line.slice('nosoftirq '.length)}` };
  }
  if (word !== 'softirq') throw new DirectorError(`the helper answered "${line}"`);
  return { nanos: numberIn(nanos), runs: numberIn(runs) };
}

function parsePair(line: string): Pair {
  const [word, into, out, packets, nanos, clipped] = line.split(' ');
  if (word !== 'pair') throw new DirectorError(`the helper answered "${line}"`);
  return {
    in: numberIn(into),
    out: numberIn(out),
    packets: numberIn(packets),
    nanos: numberIn(nanos),
    clipped: numberIn(clipped),
  };
}

function numberIn(text: string | undefined): number {
  const number = Number(text);
  if (text === undefined || !Number.isSafeInteger(number)) {
    throw new DirectorError(`the helper answered "${text ?? ''}" where a number is due`);
  }
  return number;
}

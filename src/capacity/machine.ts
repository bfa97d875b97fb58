import { byMachine } from './sadf.ts';
import type { Recording, Sample } from './sadf.ts';
import { DAY, resample, wellKnown } from './resample.ts';
import type { Stretch } from './resample.ts';

/** Everything that its files tell of one machine. */
export interface Machine {
  readonly name: string;
  readonly files: readonly string[];
  readonly cores: number;
  readonly zone: string;
  readonly restarts: number;
  /** How often sysstat looked: the median of the samples' lengths. Seconds. */
  readonly every: number;
  /** Of the time from the first sample to the last, how much no sample tells of. Seconds. */
  readonly unknown: number;
  /** Five minutes each, in order of time; those of which little is known are left out. */
  readonly buckets: readonly Stretch[];
  readonly days: readonly Stretch[];
}

/** What keeps recordings from being added up; in a sentence, about one file or about one machine. */
export interface Contradiction {
  readonly path: string;
  readonly message: string;
}

/** Machines in order of their names, whatever the order of the recordings. */
export function machinesOf(
  recordings: readonly Recording[],
): { machines: Machine[] } | { contradictions: Contradiction[] } {
  const groups = [...byMachine(recordings)].map(([name, all]) => ({
    name,
    all: all.filter(({ samples }) => samples.length > 0).toSorted((a, b) => compare(a.file, b.file)),
  }));
  const contradictions = [
    ...mixedZones(recordings),
    ...groups.flatMap(({ name, all }) => twoOfOneName(name, all)),
  ];
  if (contradictions.length > 0) return { contradictions };
  return {
    machines: groups.map(({ name, all }) => machineOf(name, all)).toSorted((a, b) => compare(a.name, b.name)),
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function mixedZones(recordings: readonly Recording[]): Contradiction[] {
  const zones = new Set(recordings.map(({ zone }) => zone));
  if (zones.size < 2) return [];
  const odd = recordings.filter(({ zone }) => zone !== 'UTC');
  return odd.map(({ file, zone }) => ({
    path: file,
    message: `its times are ${zone}, those of another file are not: convert all by sadf without -t and -T, which gives UTC`,
  }));
}

/** Rounded to whole seconds, neighbours overlap by so much. */
const SLACK = 2;

function twoOfOneName(name: string, all: readonly Recording[]): Contradiction[] {
  const tagged = all
    .flatMap(({ file, samples }) => samples.map((sample) => ({ file, sample })))
    .toSorted((a, b) => a.sample.end - b.sample.end);
  for (const [at, { file, sample }] of tagged.entries()) {
    const before = tagged[at - 1];
    if (before === undefined || before.file === file || same(before.sample, sample)) continue;
    if (sample.end - sample.seconds >= before.sample.end - SLACK) continue;
    const message = `it and ${before.file} tell different things of ${name} at the same time; if they are two machines, name one: other-name=${file}`;
    return [{ path: file, message }];
  }
  return [];
}

const same = (a: Sample, b: Sample): boolean => keyOf(a) === keyOf(b);
const keyOf = ({ end, seconds, load, packets }: Sample): string =>
  JSON.stringify([end, seconds, load, packets]);

function machineOf(name: string, all: readonly Recording[]): Machine {
  // A file that is given twice, or a day that is in two files, counts once.
  const samples = [
    ...new Map(all.flatMap((each) => each.samples).map((each) => [keyOf(each), each])).values(),
  ];
  samples.sort((a, b) => a.end - b.end || a.seconds - b.seconds || compare(keyOf(a), keyOf(b)));
  const lengths = samples.map(({ seconds }) => seconds).toSorted((a, b) => a - b);
  return {
    name,
    files: [...new Set(all.map(({ file }) => file))],
    cores: Math.max(...all.map(({ cores }) => cores)),
    zone: all[0]?.zone ?? 'UTC',
    restarts: new Set(all.flatMap(({ boots }) => boots)).size,
    every: lengths[Math.floor(lengths.length / 2)] ?? 0,
    unknown: unknownIn(samples),
    buckets: wellKnown(resample(samples)),
    days: wellKnown(resample(samples, DAY)),
  };
}

function unknownIn(samples: readonly Sample[]): number {
  let known = -Infinity;
  let unknown = 0;
  for (const { end, seconds } of samples) {
    const begin = end - seconds;
    if (Number.isFinite(known) && begin > known) unknown += begin - known;
    known = Math.max(known, end);
  }
  return unknown;
}

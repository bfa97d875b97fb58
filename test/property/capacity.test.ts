import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consolidate } from '../../src/capacity/consolidate.ts';
import type { Consolidation, Wish } from '../../src/capacity/consolidate.ts';
import { coresOf, loadFrom } from '../../src/capacity/load.ts';
import { machinesOf } from '../../src/capacity/machine.ts';
import { place } from '../../src/capacity/place.ts';
import { DAY, resample } from '../../src/capacity/resample.ts';
import { TYPICAL_COST } from '../../src/capacity/routing-cost.ts';
import type { Recording, Sample } from '../../src/capacity/sadf.ts';

const ROUNDING = 1e-6;
const START = 1_800_000_000 - (1_800_000_000 % DAY);

const load = fc.double({ min: 0, max: 8, noNaN: true });
/** Samples one after another, of any lengths, with gaps. */
const samples = fc
  .array(
    fc.record({
      gap: fc.constantFrom(0, 0, 0, 1, 700, 90_000),
      seconds: fc.constantFrom(1, 59, 60, 300, 600, 3600),
      user: load,
      iowait: load,
      packets: fc.option(fc.integer({ min: 0, max: 100_000 })),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((parts) => {
    let end = START;
    return parts.map(({ gap, seconds, user, iowait, packets }): Sample => {
      end += gap + seconds;
      const value = loadFrom((kind) => (kind === 'user' ? user : kind === 'iowait' ? iowait : 0));
      return { end, seconds, load: value, packets };
    });
  });

const recordingOf = (machine: string, all: readonly Sample[], file = `${machine}.json`): Recording => ({
  machine,
  file,
  cores: 8,
  zone: 'UTC',
  boots: [],
  samples: all,
});
const recordings = fc
  .array(samples, { minLength: 1, maxLength: 6 })
  .map((lists) => lists.map((list, at) => recordingOf(`m${at}`, list)));
const wish = fc.record({
  cores: fc.integer({ min: 1, max: 64 }),
  reserve: fc.constantFrom(0, 0.2, 0.5),
  withIowait: fc.boolean(),
  byTimeOfDay: fc.boolean(),
  cost: fc.constant(TYPICAL_COST),
});

function planned(all: readonly Recording[], wanted: Wish): Consolidation {
  const found = machinesOf(all);
  if ('contradictions' in found) throw new Error(JSON.stringify(found));
  return consolidate(found.machines, wanted);
}

describe('what machines need together', () => {
  it('is at the least no more than at the most, in cores and in hosts', () => {
    fc.assert(
      fc.property(recordings, wish, (all, wanted) => {
        const { least, most, hosts } = planned(all, wanted);
        expect(least.peak.cores).toBeLessThanOrEqual(most.peak.cores + ROUNDING);
        expect(least.average.cores).toBeLessThanOrEqual(most.average.cores + ROUNDING);
        if (hosts !== null) expect(hosts.least.length).toBeLessThanOrEqual(hosts.most.length);
      }),
    );
  });

  it('is at the least what the neediest needs alone', () => {
    fc.assert(
      fc.property(recordings, wish, (all, wanted) => {
        const { machines, least } = planned(all, wanted);
        const neediest = Math.max(...machines.map(({ peak }) => peak.cores));
        expect(least.peak.cores).toBeGreaterThanOrEqual(neediest - ROUNDING);
      }),
    );
  });

  it('never becomes less by one more machine', () => {
    fc.assert(
      fc.property(recordings, samples, wish, (all, more, wanted) => {
        const before = planned(all, wanted);
        const after = planned([...all, recordingOf('one-more', more)], wanted);
        for (const bound of ['least', 'most'] as const)
          for (const what of ['peak', 'average'] as const)
            expect(after[bound][what].cores).toBeGreaterThanOrEqual(before[bound][what].cores - ROUNDING);
      }),
    );
  });

  it('does not depend on the order of the files, nor on one that is given twice', () => {
    const shuffled = recordings.chain((all) =>
      fc.tuple(
        fc.constant(all),
        fc.shuffledSubarray([...all, { ...all[0]!, file: 'again.json' }], {
          minLength: all.length + 1,
        }),
      ),
    );
    fc.assert(
      fc.property(shuffled, wish, ([all, other], wanted) => {
        const numbers = ({ least, most, hosts }: Consolidation) => ({ least, most, hosts });
        expect(numbers(planned(other, wanted))).toEqual(numbers(planned(all, wanted)));
      }),
    );
  });

  it('is the same whether a machine has one file or one for each sample', () => {
    fc.assert(
      fc.property(samples, wish, (all, wanted) => {
        const apart = all.map((sample, at) => recordingOf('m', [sample], `${at}.json`));
        expect(planned(apart, wanted).least).toEqual(planned([recordingOf('m', all)], wanted).least);
      }),
    );
  });
});

it('peaks that never meet are not added at the least', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.1, max: 8, noNaN: true }), { minLength: 2, maxLength: 8 }),
      (peaks) => {
        const all = peaks.map((peak, own) =>
          recordingOf(
            `m${own}`,
            peaks.map((_, at): Sample => {
              const value = loadFrom((kind) => (kind === 'user' && at === own ? peak : 0));
              return { end: START + (at + 1) * 300, seconds: 300, load: value, packets: null };
            }),
          ),
        );
        const wanted = { cores: 8, reserve: 0, withIowait: false, byTimeOfDay: false, cost: TYPICAL_COST };
        const { least, most } = planned(all, wanted);
        expect(least.peak.cores).toBeCloseTo(Math.max(...peaks));
        expect(most.peak.cores).toBeCloseTo(peaks.reduce((a, b) => a + b));
      },
    ),
  );
});

it('everybody is on one host, and no host has more than it can carry', () => {
  fc.assert(
    fc.property(recordings, wish, (all, wanted) => {
      const { hosts, machines, usable, tooBig } = planned(all, wanted);
      const peaks = new Map(machines.map(({ machine, peak }) => [machine.name, peak.cores]));
      if (hosts === null) {
        expect(tooBig.length).toBeGreaterThan(0);
        return;
      }
      for (const placed of [hosts.least, hosts.most])
        expect(placed.flat().toSorted()).toEqual([...peaks.keys()].toSorted());
      for (const names of hosts.most) {
        const sum = names.reduce((total, name) => total + peaks.get(name)!, 0);
        expect(sum).toBeLessThanOrEqual(usable + ROUNDING);
      }
      for (const names of hosts.least) {
        const own = all.filter(({ machine }) => names.includes(machine));
        expect(planned(own, wanted).least.peak.cores).toBeLessThanOrEqual(usable + ROUNDING);
      }
    }),
  );
});

it('a host is full by all that is on it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4 }), (many, each) => {
      const needs = Array.from({ length: many }, (_, at) => ({ name: `m${at}`, series: new Map([[0, 1]]) }));
      expect(place(needs, each)).toHaveLength(Math.ceil(many / each));
    }),
  );
});

it('resampling keeps the average of the load', () => {
  fc.assert(
    fc.property(samples, fc.constantFrom(300, 3600, DAY), (all, step) => {
      const total = (list: readonly { seconds: number; load: Sample['load'] }[]): [number, number] => [
        list.reduce((sum, { seconds }) => sum + seconds, 0),
        list.reduce((sum, { seconds, load }) => sum + seconds * coresOf(load, true), 0),
      ];
      const buckets = resample(all, step);
      const [seconds, work] = total(buckets);
      const [secondsBefore, workBefore] = total(all);
      expect(seconds).toBeCloseTo(secondsBefore);
      expect(work).toBeCloseTo(workBefore, 3);
      for (const { at, seconds: known } of buckets) {
        expect(at % step).toBe(0);
        expect(known).toBeLessThanOrEqual(step);
      }
    }),
  );
});

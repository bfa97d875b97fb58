import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Bench } from './support/engine-bench.ts';
import type { Fault } from './support/engine-bench.ts';
import { VERBS } from './support/engine-verbs.ts';
import type { Verb } from './support/engine-verbs.ts';

/** What a verb does when nothing goes wrong. */
interface Course {
  readonly before: unknown;
  readonly after: unknown;
  readonly effects: readonly string[];
  /** Where customers of both services may be. */
  readonly places: ReadonlySet<string | null>;
}

const ADDRESSES = ['192.0.2.25', '192.0.2.38'];
const benches: Bench[] = [];

afterEach(() => {
  for (const bench of benches.splice(0)) bench.close();
});

async function open(): Promise<Bench> {
  const bench = await Bench.open();
  benches.push(bench);
  return bench;
}

const whereAll = (bench: Bench): Promise<(string | null)[]> =>
  Promise.all(ADDRESSES.map((address) => bench.reached(address)));

async function courseOf({ prepare, run, holds }: Verb): Promise<Course> {
  const bench = await open();
  await prepare?.(bench);
  const [before, placesBefore] = [await bench.state(), await whereAll(bench)];
  bench.fail(() => undefined);
  await run(bench);
  const effects = [...bench.effects];
  return {
    before,
    after: await bench.state(),
    effects,
    places: new Set([...placesBefore, ...(await whereAll(bench)), ...(holds === true ? [null] : [])]),
  };
}

interface Interrupted {
  readonly bench: Bench;
  readonly mark: number;
  /** `pending` where the director died. */
  readonly outcome: { readonly is: 'done' | 'pending' } | { readonly is: 'failed'; readonly error: Error };
}

/** The verb, with this fault at its n-th effect. */
async function interrupt({ prepare, run }: Verb, at: number, fault: Fault): Promise<Interrupted> {
  const bench = await open();
  await prepare?.(bench);
  const mark = bench.lastJournal();
  bench.fail((n) => (n === at ? fault : undefined));
  let outcome: Interrupted['outcome'] = { is: 'pending' };
  run(bench).then(
    () => (outcome = { is: 'done' }),
    (error: unknown) => (outcome = { is: 'failed', error: error as Error }),
  );
  // A reload reads its file; all else is in memory.
  await expect.poll(() => bench.settle().then(() => bench.dead || outcome.is !== 'pending')).toBe(true);
  return { bench, mark, outcome };
}

const isFirstWrite = ({ effects }: Course, at: number): boolean => !effects.slice(0, at).includes('write');

for (const [name, verb] of Object.entries(VERBS)) {
  describe(name, () => {
    let course: Course;
    beforeAll(async () => {
      course = await courseOf(verb);
    });

    it('writes its intent before it touches the kernel, and its journal before it answers', () => {
      expect(course.effects[0]).toBe('write');
      const journalled = course.effects.indexOf('write', 1);
      expect(journalled).toBeGreaterThan(1);
      expect(course.after).not.toEqual(course.before);
    });

    it('is done whole or not at all by a director that is killed at any moment, and the journal says which', async () => {
      for (let at = 0; at < course.effects.length; at++) {
        const told = `killed at ${at} of ${course.effects.join(' ')}`;
        const { bench, mark } = await interrupt(verb, at, 'die');
        expect(bench.dead, told).toBe(true);
        for (const place of await whereAll(bench)) expect(course.places, told).toContain(place);

        await bench.restart();
        const state = await bench.state();
        expect(verb.inFile === true ? [course.after] : [course.before, course.after], told).toContainEqual(
          state,
        );
        await bench.expectKernelIsPlan();
        expect(bench.store.intents(), told).toEqual([]);
        const kinds = bench.kindsAfter(mark).filter((kind) => kind !== 'start');
        const whole = verb.inFile === true ? kinds.includes(verb.kind) : isEqual(state, course.after);
        expect(kinds.includes(verb.kind), told).toBe(whole);
        expect(kinds.includes('fail'), told).toBe(!whole && !isFirstWrite(course, at));

        const { writes } = bench.kernel;
        await bench.restart();
        expect(await bench.state(), told).toEqual(state);
        expect(bench.kernel.writes, `${told}: the start after that writes nothing`).toBe(writes);
        bench.close();
      }
    });

    it.each<Fault>(['refuse', 'lose'])(
      'leaves state, store and kernel as its error says, wherever the kernel or the disk fails (%s)',
      async (fault) => {
        for (let at = 0; at < course.effects.length; at++) {
          const told = `${fault} at ${at} of ${course.effects.join(' ')}`;
          const { bench, outcome } = await interrupt(verb, at, fault);
          for (const place of await whereAll(bench)) expect(course.places, told).toContain(place);
          const decided = outcome.is === 'done' || (outcome.is === 'failed' && isDecided(outcome.error));
          await bench.pass(11_000);
          await bench.pass(1000);
          expect(await bench.state(), told).toEqual(decided ? course.after : course.before);
          await bench.expectKernelIsPlan();
          expect(bench.engine.readiness(), told).toMatchObject({ ready: true });

          await bench.restart();
          const stands = decided || verb.inFile === true;
          expect(await bench.state(), `${told}: after a restart`).toEqual(
            stands ? course.after : course.before,
          );
          await bench.expectKernelIsPlan();
          bench.close();
        }
      },
    );
  });
}

const isEqual = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Errors that say that it was done all the same, but for something that the director goes on with. */
function isDecided({ message }: Error): boolean {
  return /the confirm is decided|is back on .*, but it could not be written down/.test(message);
}

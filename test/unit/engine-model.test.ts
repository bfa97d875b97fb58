import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Refusal } from '../../src/lib/errors.ts';
import type { RefusalKind } from '../../src/lib/errors.ts';
import { ACTOR, Bench, network } from './support/engine-bench.ts';

const NAMES = ['mail', 'ldap'] as const;
type Name = (typeof NAMES)[number];
const ADDRESS: Readonly<Record<Name, string>> = { mail: '192.0.2.25', ldap: '192.0.2.38' };
const HOST: Readonly<Record<Name, string>> = { mail: '10.25.0', ldap: '10.38.0' };
const SOURCES = ['203.0.113.9', '203.0.113.128/25'];
const MINUTE = 60_000;

interface Trial {
  readonly id: string;
  readonly services: readonly Name[];
  readonly until: number;
}

/** All that an operator must have in mind of one service. */
interface Service {
  primary: 'a' | 'b';
  trial: Trial | null;
  testing: 'open' | 'closed';
  leases: Map<string, number | null>;
  heldUntil: number | null;
}

type Outcome = 'done' | RefusalKind;

class Model {
  readonly services: Record<Name, Service> = { mail: fresh(), ldap: fresh() };
  now: number;
  last: Trial | null = null;

  constructor(now: number) {
    this.now = now;
  }

  pass(ms: number): void {
    this.now += ms;
    for (const service of Object.values(this.services)) {
      if (service.trial !== null && service.trial.until <= this.now) service.trial = null;
      if (service.heldUntil !== null && service.heldUntil <= this.now) service.heldUntil = null;
      for (const [source, until] of service.leases)
        if (until !== null && until <= this.now) service.leases.delete(source);
    }
  }

  live(name: Name): 'a' | 'b' {
    const { primary, trial } = this.services[name];
    return trial === null ? primary : other(primary);
  }

  end(trial: Trial | null, confirmed: boolean): Outcome {
    if (trial === null) return 'unknown';
    const on = trial.services.filter((name) => this.services[name].trial?.id === trial.id);
    if (on.length === 0) return 'conflict';
    for (const name of on) {
      const service = this.services[name];
      service.trial = null;
      if (confirmed) Object.assign(service, { primary: other(service.primary), testing: 'closed' });
    }
    return 'done';
  }
}

const fresh = (): Service => ({
  primary: 'a',
  trial: null,
  testing: 'open',
  leases: new Map(),
  heldUntil: null,
});
const other = (slot: 'a' | 'b'): 'a' | 'b' => (slot === 'a' ? 'b' : 'a');

/** What is asked of the engine; the model says what must come of it. */
type Command = (model: Model, bench: Bench) => Promise<{ expected: Outcome; got: Outcome }>;

async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof Refusal) return error.kind;
    throw error;
  }
}

const name = fc.constantFrom(...NAMES);
const source = fc.constantFrom(...SOURCES);

const switchCommand = fc
  .tuple(fc.uniqueArray(name, { minLength: 1 }), fc.constantFrom(2, 30))
  .map(([services, minutes]): Command => async (model, bench) => {
    const expected = services.some((one) => model.services[one].trial !== null) ? 'conflict' : 'done';
    let id = '';
    const order = { services, to: 'secondary' as const, confirmWithin: minutes * MINUTE };
    const got = await outcomeOf(bench.engine.switchOver(order, ACTOR).then((record) => (id = record.id)));
    if (expected === 'done') {
      model.last = { id, services, until: model.now + minutes * MINUTE };
      for (const one of services) model.services[one].trial = model.last;
    }
    return { expected, got };
  });

const endCommand = fc
  .constantFrom('confirm' as const, 'rollback' as const)
  .map((how): Command => async (model, bench) => {
    const { last } = model;
    const got = await outcomeOf(bench.engine[how](last?.id ?? 'sw-none', ACTOR));
    return { expected: model.end(last, how === 'confirm'), got };
  });

const enrolCommand = fc
  .tuple(name, source, fc.constantFrom(null, MINUTE, 20 * MINUTE))
  .map(([one, from, expiresIn]): Command => async (model, bench) => {
    const service = model.services[one];
    const got = await outcomeOf(bench.engine.enrol(one, network(from), { expiresIn, note: null }, ACTOR));
    if (service.testing === 'closed') return { expected: 'conflict', got };
    service.leases.set(from, expiresIn === null ? null : model.now + expiresIn);
    return { expected: 'done', got };
  });

const unenrolCommand = fc.tuple(name, source).map(([one, from]): Command => async (model, bench) => {
  const got = await outcomeOf(bench.engine.unenrol(one, network(from), ACTOR));
  return { expected: model.services[one].leases.delete(from) ? 'done' : 'unknown', got };
});

const testingCommand = fc
  .tuple(name, fc.constantFrom('open' as const, 'closed' as const))
  .map(([one, testing]): Command => async (model, bench) => {
    model.services[one].testing = testing;
    return { expected: 'done', got: await outcomeOf(bench.engine.setTesting(one, testing, ACTOR)) };
  });

const holdCommand = name.map((one): Command => async (model, bench) => {
  model.services[one].heldUntil = model.now + MINUTE;
  return { expected: 'done', got: await outcomeOf(bench.engine.hold(one, MINUTE, ACTOR)) };
});

const releaseCommand = name.map((one): Command => async (model, bench) => {
  const expected = model.services[one].heldUntil === null ? 'conflict' : 'done';
  model.services[one].heldUntil = null;
  return { expected, got: await outcomeOf(bench.engine.release(one, ACTOR)) };
});

const passCommand = fc.constantFrom(1000, MINUTE, 10 * MINUTE).map((ms): Command => async (model, bench) => {
  model.pass(ms);
  await bench.pass(ms);
  return { expected: 'done', got: 'done' };
});

/** Killed, and away for a while. */
const restartCommand = fc.constantFrom(0, 5 * MINUTE).map((away): Command => async (model, bench) => {
  bench.kill();
  model.pass(away);
  bench.clock.advance(away);
  await bench.start();
  // What ended meanwhile is tidied as soon as the clock moves at all.
  model.pass(1);
  await bench.pass(1);
  return { expected: 'done', got: 'done' };
});

const commands = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: switchCommand },
    { weight: 4, arbitrary: endCommand },
    { weight: 2, arbitrary: enrolCommand },
    { weight: 1, arbitrary: unenrolCommand },
    { weight: 2, arbitrary: testingCommand },
    { weight: 1, arbitrary: holdCommand },
    { weight: 1, arbitrary: releaseCommand },
    { weight: 2, arbitrary: passCommand },
    { weight: 2, arbitrary: restartCommand },
  ),
  { minLength: 5, maxLength: 25, size: 'max' },
);

async function expectAgreement(model: Model, bench: Bench): Promise<void> {
  for (const one of NAMES) {
    const { primary, trial, testing, leases, heldUntil } = model.services[one];
    const { state, activeSwitch } = await bench.snapshot(one);
    expect(state).toMatchObject({ primary, testing, heldUntil });
    expect(activeSwitch?.id ?? null).toBe(trial?.id ?? null);
    const leased = state.testers.filter(({ kind }) => kind === 'leased').map(({ expiresAt }) => expiresAt);
    expect(leased.sort()).toEqual([...leases.values()].sort());
    const at = (slot: 'a' | 'b'): string => `${HOST[one]}.${slot === 'a' ? 2 : 3}`;
    expect(await bench.reached(ADDRESS[one])).toBe(at(model.live(one)));
    for (const [from, host] of [
      [SOURCES[0], '203.0.113.9'],
      [SOURCES[1], '203.0.113.200'],
    ] as const) {
      const tests = testing === 'open' && leases.has(from!);
      expect(await bench.reached(ADDRESS[one], host)).toBe(at(tests ? other(primary) : model.live(one)));
    }
  }
  await bench.expectKernelIsPlan();
  expect(bench.store.intents()).toEqual([]);
}

it('whatever operators ask for, in whatever order, and whenever the director dies, it is what they were told', async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const bench = await Bench.open();
      try {
        const model = new Model(bench.clock.now());
        for (const command of list) {
          const { expected, got } = await command(model, bench);
          expect(got).toBe(expected);
          await expectAgreement(model, bench);
        }
      } finally {
        bench.close();
      }
    }),
    { numRuns: 25, interruptAfterTimeLimit: 20_000 },
  );
});

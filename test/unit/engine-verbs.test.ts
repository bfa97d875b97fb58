import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectorError, Refusal } from '../../src/lib/errors.ts';
import type { RefusalKind } from '../../src/lib/errors.ts';
import { encodeMark, DEFAULT_MARK_MASK } from '../../src/model/mark.ts';
import type { Protocol } from '../../src/model/service.ts';
import { liveSlot } from '../../src/model/state.ts';
import type { Slot } from '../../src/model/state.ts';
import { ACTOR, Bench, CUSTOMER, definition, network } from './support/engine-bench.ts';
import { switchBoth } from './support/engine-verbs.ts';

const [MAIL, TESTER] = ['192.0.2.25', '198.51.100.7'];
const MINUTE = 60_000;
const NO_LEASE = { expiresIn: null, note: null };

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

/** The refusal, after which nothing at all has changed. */
async function refusal(work: () => Promise<unknown>): Promise<Refusal> {
  const [before, kernel, journal] = [await bench.state(), bench.kernel.dump(), bench.lastJournal()];
  const error: unknown = await work().then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Refusal);
  expect(await bench.state()).toEqual(before);
  expect(bench.kernel.dump()).toBe(kernel);
  expect(bench.lastJournal()).toBe(journal);
  expect(bench.store.intents()).toEqual([]);
  return error as Refusal;
}

const refusedAs = async (kind: RefusalKind, work: () => Promise<unknown>): Promise<Refusal> => {
  const refused = await refusal(work);
  expect(refused.kind).toBe(kind);
  return refused;
};

function flow(slot: Slot, protocol: Protocol, id: number, service = 1): void {
  bench.kernel.addFlow({
    family: 4,
    protocol,
    from: { family: 4, text: CUSTOMER },
    to: { family: 4, text: MAIL },
    fromPort: 40_000 + id,
    toPort: 25,
    answeredBy: { family: 4, text: slot === 'a' ? '10.25.0.2' : '10.25.0.3' },
    answeredPort: 25,
    mark: encodeMark({ id: service, slot, protocol }, DEFAULT_MARK_MASK),
    id,
    closing: false,
  });
}

const mailSwitch = (more: object = {}): ReturnType<typeof bench.engine.switchOver> =>
  bench.engine.switchOver({ services: ['mail'], to: 'secondary', ...more }, ACTOR);

describe('a switch', () => {
  it('moves everybody of all its services in one exchange, and says what it did', async () => {
    bench.fail(() => undefined);
    const record = await switchBoth(bench);
    expect(bench.effects.filter((what) => what === 'commit')).toHaveLength(1);
    expect(await bench.reached(MAIL)).toBe('10.25.0.3');
    expect(await bench.reached('192.0.2.38')).toBe('10.38.0.3');
    expect(record).toMatchObject({
      state: 'trial',
      services: ['mail', 'ldap'],
      by: ACTOR.by,
      reason: ACTOR.reason,
    });
    expect(bench.engine.switchById(record.id)).toEqual(record);
    expect(bench.engine.switches({ limit: 10 })).toEqual([record]);
    expect((await bench.snapshot('mail')).activeSwitch).toEqual(record);
    await bench.expectKernelIsPlan();
  });

  it('is confirmed with the roles exchanged, testing closed, and nobody moved', async () => {
    const { id } = await mailSwitch();
    expect(await bench.engine.confirm(id, ACTOR)).toMatchObject({ state: 'confirmed' });
    expect((await bench.snapshot('mail')).state).toMatchObject({
      primary: 'b',
      testing: 'closed',
      trial: null,
    });
    expect(await bench.reached(MAIL)).toBe('10.25.0.3');
    expect(await bench.reached(MAIL, TESTER)).toBe('10.25.0.3');
    await bench.expectKernelIsPlan();
  });

  it('is rolled back although the DomU that everybody goes back to is sick', async () => {
    const { id } = await mailSwitch();
    bench.sick.add('10.25.0.2');
    expect(await bench.engine.rollback(id, ACTOR)).toMatchObject({ state: 'rolled-back' });
    expect(await bench.reached(MAIL)).toBe('10.25.0.2');
    await bench.expectKernelIsPlan();
  });

  it('to a sick DomU is refused with the reason, unless it is forced; one that is refused names every sick one', async () => {
    bench.sick.add('10.25.0.3').add('10.38.0.3');
    const refused = await refusedAs('conflict', () => switchBoth(bench));
    expect(refused.message).toMatch(/mail-b .*connection refused.*ldap-b .*connection refused/);
    expect(await mailSwitch({ force: true })).toMatchObject({ state: 'trial' });
  });

  it('is refused where it makes no sense, and then none of its services is switched', async () => {
    await refusedAs('unknown', () => mailSwitch({ services: ['mail', 'nosuch'] }));
    await refusedAs('conflict', () => mailSwitch({ to: 'primary' }));
    await refusedAs('invalid', () => mailSwitch({ confirmWithin: 999 }));
    await refusedAs('invalid', () => mailSwitch({ confirmWithin: 2 ** 40 }));
    const { id } = await mailSwitch();
    const during = await refusedAs('conflict', () => switchBoth(bench));
    expect(during.message).toContain(id);
    await refusedAs('conflict', () => mailSwitch({ to: 'primary' }));
  });

  it('that has ended is neither confirmed nor rolled back, and one that never was is unknown', async () => {
    for (const end of ['confirm', 'rollback'] as const) {
      const { id } = await mailSwitch();
      await bench.engine[end](id, ACTOR);
      await refusedAs('conflict', () => bench.engine.confirm(id, ACTOR));
      await refusedAs('conflict', () => bench.engine.rollback(id, ACTOR));
    }
    await refusedAs('unknown', () => bench.engine.confirm('sw-none', ACTOR));
    await refusedAs('unknown', () => bench.engine.rollback('sw-none', ACTOR));
    expect(() => bench.engine.switchById('sw-none')).toThrow(Refusal);
  });

  it('takes the strictest defaults of its services', async () => {
    await bench.engine.define(
      'mail',
      definition('mail', 25, { cutover: { connections: 'cut', confirmWithin: 'never' } }),
      ACTOR,
    );
    await bench.engine.define('ldap', definition('ldap', 38, { cutover: { confirmWithin: '5m' } }), ACTOR);
    const record = await bench.engine.switchOver({ services: ['mail', 'ldap'], to: 'secondary' }, ACTOR);
    expect(record).toMatchObject({ connections: 'cut', confirmBy: bench.clock.now() + 5 * MINUTE });
  });

  it('keeps the old TCP connections or cuts them, always ends the old UDP flows, and touches no others', async () => {
    for (const [connections, kept, cut] of [
      ['drain', 2, 0],
      ['cut', 0, 2],
    ] as const) {
      [1, 2].forEach((id) => flow('a', 'tcp', id));
      flow('a', 'udp', 3);
      flow('b', 'tcp', 4);
      flow('a', 'tcp', 5, 2);
      const record = await mailSwitch({ connections });
      expect(record).toMatchObject({ kept, cut, udpFlushed: 1 });
      const counts = await bench.kernel.countFlows(DEFAULT_MARK_MASK);
      const left = (slot: Slot, protocol: Protocol, id = 1): number | undefined =>
        counts.get(encodeMark({ id, slot, protocol }, DEFAULT_MARK_MASK));
      expect([left('a', 'tcp'), left('a', 'udp'), left('b', 'tcp'), left('a', 'tcp', 2)]).toEqual([
        kept === 0 ? undefined : kept,
        undefined,
        1,
        1,
      ]);
      await bench.engine.rollback(record.id, ACTOR);
      for (const slot of ['a', 'b'] as const)
        await bench.kernel.deleteFlows({
          value: encodeMark({ id: 1, slot, protocol: 'tcp' }, DEFAULT_MARK_MASK),
          mask: DEFAULT_MARK_MASK,
        });
      await bench.kernel.deleteFlows({
        value: encodeMark({ id: 2, slot: 'a', protocol: 'tcp' }, DEFAULT_MARK_MASK),
        mask: DEFAULT_MARK_MASK,
      });
    }
  });
});

describe('a hold', () => {
  it('holds the service until somebody releases it', async () => {
    await bench.engine.hold('mail', MINUTE, ACTOR);
    expect(bench.kernel.dump()).toContain('192.0.2.25,tcp:25 until');
    expect((await bench.snapshot('mail')).state.heldUntil).toBe(bench.clock.now() + MINUTE);
    await bench.engine.release('mail', ACTOR);
    expect((await bench.snapshot('mail')).state.heldUntil).toBeNull();
    await bench.expectKernelIsPlan();
  });

  it('is refused for no time, for ever, and for nobody; a release of what is not held too', async () => {
    for (const ms of [0, -1, NaN, 2 ** 40])
      await refusedAs('invalid', () => bench.engine.hold('mail', ms, ACTOR));
    await refusedAs('unknown', () => bench.engine.hold('nosuch', MINUTE, ACTOR));
    await refusedAs('unknown', () => bench.engine.release('nosuch', ACTOR));
    await refusedAs('conflict', () => bench.engine.release('mail', ACTOR));
  });
});

describe('testers', () => {
  it('reach the secondary from their enrolment to their removal, and whoami says so', async () => {
    const source = network('203.0.113.0/24');
    await bench.engine.enrol('mail', source, { expiresIn: MINUTE, note: 'Ann' }, ACTOR);
    expect(await bench.reached(MAIL, '203.0.113.9')).toBe('10.25.0.3');
    expect(bench.engine.whoami({ family: 4, text: '203.0.113.9' })[0]).toMatchObject({
      domu: 'mail-b',
      live: false,
    });
    await bench.engine.unenrol('mail', source, ACTOR);
    expect(await bench.reached(MAIL, '203.0.113.9')).toBe('10.25.0.2');
    expect(bench.engine.whoami({ family: 4, text: '203.0.113.9' })[0]).toMatchObject({
      domu: 'mail-a',
      live: true,
    });
  });

  it('are refused while testing is closed, twice by the file, for a family that the service lacks, and for a wrong time', async () => {
    const source = network('203.0.113.9');
    await refusedAs('unknown', () => bench.engine.enrol('nosuch', source, NO_LEASE, ACTOR));
    await refusedAs('conflict', () => bench.engine.enrol('mail', network(TESTER), NO_LEASE, ACTOR));
    await refusedAs('unprocessable', () =>
      bench.engine.enrol('mail', network('2001:db8::1'), NO_LEASE, ACTOR),
    );
    for (const expiresIn of [0, 999, 2 ** 40])
      await refusedAs('invalid', () => bench.engine.enrol('mail', source, { expiresIn, note: null }, ACTOR));
    await refusedAs('unknown', () => bench.engine.unenrol('mail', source, ACTOR));
    await refusedAs('conflict', () => bench.engine.unenrol('mail', network(TESTER), ACTOR));
    await bench.engine.setTesting('mail', 'closed', ACTOR);
    await refusedAs('conflict', () => bench.engine.enrol('mail', source, NO_LEASE, ACTOR));
    await refusedAs('unknown', () => bench.engine.setTesting('nosuch', 'open', ACTOR));
  });

  it('go on testing for good where a lease of the same source ends', async () => {
    const source = network('203.0.113.9');
    await bench.engine.enrol('mail', source, { expiresIn: MINUTE, note: null }, ACTOR);
    await bench.engine.define('mail', definition('mail', 25, { testers: ['203.0.113.9'] }), ACTOR);
    bench.kill();
    bench.clock.advance(2 * MINUTE);
    expect(await bench.reached(MAIL, '203.0.113.9')).toBe('10.25.0.3');
    await bench.start();
    await bench.expectKernelIsPlan();
  });

  it('are directed like everybody else while testing is closed, and as before once it is open again', async () => {
    await bench.engine.setTesting('mail', 'closed', ACTOR);
    expect(await bench.reached(MAIL, TESTER)).toBe('10.25.0.2');
    const mark = bench.lastJournal();
    await bench.engine.setTesting('mail', 'closed', ACTOR);
    expect(bench.lastJournal()).toBe(mark);
    await bench.engine.setTesting('mail', 'open', ACTOR);
    expect(await bench.reached(MAIL, TESTER)).toBe('10.25.0.3');
  });
});

describe('idempotency', () => {
  it('gives the first answer again, also after a restart, for a day; and refuses the key for another request', async () => {
    const answer = { status: 201, body: '{"id":"sw-1"}' };
    bench.engine.remember('key', 'print', answer);
    await bench.restart();
    expect(bench.engine.recall('key', 'print')).toEqual(answer);
    expect(bench.engine.recall('other', 'print')).toBeNull();
    expect(() => bench.engine.recall('key', 'another')).toThrow(Refusal);
    bench.clock.advance(86_400_001);
    await bench.restart();
    expect(bench.engine.recall('key', 'another')).toBeNull();
  });
});

describe('who is stopped or torn down', () => {
  it('leaves the kernel as it is when it stops, and writes nothing when it starts again', async () => {
    await switchBoth(bench);
    await bench.engine.hold('mail', MINUTE, ACTOR);
    const [kernel, state] = [bench.kernel.dump(), await bench.state()];
    await bench.stop();
    expect(bench.kernel.dump()).toBe(kernel);
    const { writes } = bench.kernel;
    await bench.start();
    expect(bench.kernel.writes).toBe(writes);
    expect(await bench.state()).toEqual(state);
  });

  it('leaves nothing of the director in the kernel, puts sysctls back, and directs nothing until the next start', async () => {
    await switchBoth(bench);
    await bench.engine.hold('mail', MINUTE, ACTOR);
    await bench.engine.teardown(ACTOR);
    expect(bench.kernel.dump()).not.toMatch(/DIR-|dir-| ours$/m);
    expect(bench.kernel.dump()).toContain('sysctl net/ipv4/ip_forward = 0');
    expect(bench.engine.readiness()).toMatchObject({ ready: false });
    await refusedAs('unavailable', () => mailSwitch());
    await refusedAs('unavailable', () => bench.engine.release('mail', ACTOR));
    const { writes } = bench.kernel;
    await bench.pass(60 * MINUTE);
    expect(bench.kernel.writes).toBe(writes);
    await bench.restart();
    await bench.expectKernelIsPlan();
  });

  it('leaves nothing either of sets that somebody had taken apart', async () => {
    bench.kernel.destroySet('dir-trial-next');
    await bench.engine.teardown(ACTOR);
    expect(bench.kernel.dump()).not.toMatch(/DIR-|dir-/);
  });

  it('has nothing more to wake up for, though deadlines pass', async () => {
    await bench.engine.hold('mail', MINUTE, ACTOR);
    await bench.engine.teardown(ACTOR);
    await bench.pass(2 * MINUTE);
    const { wakes } = bench;
    for (let n = 0; n < 20; n++) await bench.pass(1);
    expect(bench.wakes).toBe(wakes);
  });
});

describe('who cannot start', () => {
  it('says what the host lacks, and has not touched the kernel', async () => {
    bench.kill();
    const kernel = bench.kernel.dump();
    bench.kernel.missing = () => Promise.resolve(['ipset is not there: apt install ipset']);
    await expect(bench.start()).rejects.toThrow(DirectorError);
    expect(bench.kernel.dump()).toBe(kernel);
    Reflect.deleteProperty(bench.kernel, 'missing');
    await bench.restart();
    await bench.expectKernelIsPlan();
  });
});

it('an unhealthy live DomU is told, and liveness is the state of the roles alone', async () => {
  bench.sick.add('10.25.0.2');
  await bench.pass(MINUTE);
  await bench.pass(MINUTE);
  const { state, health } = await bench.snapshot('mail');
  expect(health[liveSlot(state)].status).toBe('unhealthy');
  expect(await bench.reached(MAIL)).toBe('10.25.0.2');
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KernelError, Refusal } from '../../src/lib/errors.ts';
import { DEFAULT_MARK_MASK, encodeMark } from '../../src/model/mark.ts';
import { ACTOR, Bench, CUSTOMER, network } from './support/engine-bench.ts';

const MAIL = '192.0.2.25';
const [SECOND, MINUTE] = [1000, 60_000];

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

const mailSwitch = (more: object = {}): ReturnType<typeof bench.engine.switchOver> =>
  bench.engine.switchOver(
    { services: ['mail'], to: 'secondary', confirmWithin: 10 * MINUTE, ...more },
    ACTOR,
  );

let flows = 0;
function oldConnection(): void {
  bench.kernel.addFlow({
    family: 4,
    protocol: 'tcp',
    from: { family: 4, text: CUSTOMER },
    to: { family: 4, text: MAIL },
    fromPort: 40_000,
    toPort: 25,
    answeredBy: { family: 4, text: '10.25.0.2' },
    answeredPort: 25,
    mark: encodeMark({ id: 1, slot: 'a', protocol: 'tcp' }, DEFAULT_MARK_MASK),
    id: ++flows,
    closing: false,
  });
}

const connections = async (): Promise<number> =>
  [...(await bench.kernel.countFlows(DEFAULT_MARK_MASK)).values()].reduce((sum, count) => sum + count, 0);

describe('a trial that nobody confirms', () => {
  it('goes on until its deadline and is rolled back then, which the journal tells', async () => {
    const { id } = await mailSwitch();
    await bench.pass(10 * MINUTE - SECOND);
    expect(await bench.reached(MAIL)).toBe('10.25.0.3');
    const mark = bench.lastJournal();
    await bench.pass(SECOND);
    expect(await bench.reached(MAIL)).toBe('10.25.0.2');
    expect(bench.engine.switchById(id)).toMatchObject({ state: 'expired', endedAt: bench.clock.now() });
    expect(bench.kindsAfter(mark)).toEqual(['expire']);
    await bench.expectKernelIsPlan();
    await expect(bench.engine.confirm(id, ACTOR)).rejects.toThrow(Refusal);
  });

  it('ends in the kernel although no director is there, and the next one tells it once', async () => {
    const { id } = await mailSwitch();
    const mark = bench.lastJournal();
    bench.kill();
    bench.clock.advance(10 * MINUTE);
    expect(await bench.reached(MAIL)).toBe('10.25.0.2');
    await bench.start();
    expect(bench.engine.switchById(id)).toMatchObject({ state: 'expired' });
    await bench.restart();
    expect(bench.kindsAfter(mark).filter((kind) => kind !== 'start')).toEqual(['expire']);
    await bench.expectKernelIsPlan();
  });

  it('goes on over a restart, to the same deadline', async () => {
    const { id, confirmBy } = await mailSwitch();
    await bench.pass(5 * MINUTE);
    await bench.restart();
    expect((await bench.snapshot('mail')).activeSwitch).toMatchObject({ id, confirmBy });
    expect(await bench.reached(MAIL)).toBe('10.25.0.3');
    await bench.pass(5 * MINUTE);
    expect(bench.engine.switchById(id)).toMatchObject({ state: 'expired' });
    await bench.expectKernelIsPlan();
  });

  it('is tried again where the kernel refuses to end it, and leaves no intent behind', async () => {
    const { id } = await mailSwitch();
    for (let n = 0; n < 3; n++) bench.kernel.failNext('prepare', new KernelError('no', { code: 'EIO' }));
    for (let n = 0; n < 6; n++) await bench.pass(n === 0 ? 10 * MINUTE : 2 * SECOND);
    expect(bench.engine.switchById(id)).toMatchObject({ state: 'expired' });
    expect(bench.store.intents()).toEqual([]);
    await bench.expectKernelIsPlan();
  });

  it('that never ends by itself does not, however long it takes', async () => {
    const { id } = await mailSwitch({ confirmWithin: null });
    await bench.pass(400 * 24 * 60 * MINUTE);
    expect(bench.engine.switchById(id)).toMatchObject({ state: 'trial' });
    expect(await bench.reached(MAIL)).toBe('10.25.0.3');
  });

  it('is ended for one switch and not for the other', async () => {
    await mailSwitch();
    const other = await bench.engine.switchOver(
      { services: ['ldap'], to: 'secondary', confirmWithin: 20 * MINUTE },
      ACTOR,
    );
    await bench.pass(10 * MINUTE);
    expect(bench.engine.switchById(other.id)).toMatchObject({ state: 'trial' });
    expect(await bench.reached('192.0.2.38')).toBe('10.38.0.3');
    await bench.expectKernelIsPlan();
  });
});

describe('holds and leases', () => {
  it('end at their time, in the kernel and in the journal', async () => {
    await bench.engine.hold('mail', 5 * SECOND, ACTOR);
    await bench.engine.enrol('mail', network('203.0.113.9'), { expiresIn: 10 * SECOND, note: null }, ACTOR);
    const mark = bench.lastJournal();
    await bench.pass(5 * SECOND);
    expect((await bench.snapshot('mail')).state.heldUntil).toBeNull();
    expect(bench.kernel.dump()).not.toContain('tcp:25 until');
    expect(await bench.reached(MAIL, '203.0.113.9')).toBe('10.25.0.3');
    await bench.pass(5 * SECOND);
    expect(await bench.reached(MAIL, '203.0.113.9')).toBe('10.25.0.2');
    expect(bench.kindsAfter(mark)).toEqual(['release', 'tester-expire']);
    expect(bench.store.leases()).toEqual([]);
    await bench.expectKernelIsPlan();
  });

  it('that ended without a director are told and tidied by the next one', async () => {
    await bench.engine.hold('mail', 5 * SECOND, ACTOR);
    await bench.engine.enrol('mail', network('203.0.113.9'), { expiresIn: 10 * SECOND, note: null }, ACTOR);
    const mark = bench.lastJournal();
    bench.kill();
    bench.clock.advance(MINUTE);
    await bench.start();
    await bench.pass(SECOND);
    expect(bench.kindsAfter(mark)).toEqual(['start', 'tester-expire', 'release']);
    expect(bench.store.leases()).toEqual([]);
    await bench.expectKernelIsPlan();
  });
});

describe('old connections that were given a time', () => {
  it('are cut then, and not before', async () => {
    oldConnection();
    const { id } = await mailSwitch({ connections: 'drain', drainFor: MINUTE });
    await bench.pass(MINUTE - SECOND);
    expect(await connections()).toBe(1);
    const mark = bench.lastJournal();
    await bench.pass(SECOND);
    expect(await connections()).toBe(0);
    expect(bench.engine.switchById(id)).toMatchObject({ cut: 1, drainUntil: null });
    expect(bench.kindsAfter(mark)).toEqual(['drained']);
  });

  it('are cut by the next director where the time passed without one, and only once', async () => {
    oldConnection();
    await mailSwitch({ connections: 'drain', drainFor: MINUTE });
    const mark = bench.lastJournal();
    bench.kill();
    bench.clock.advance(2 * MINUTE);
    await bench.start();
    await bench.pass(SECOND);
    expect(await connections()).toBe(0);
    await bench.restart();
    await bench.pass(SECOND);
    expect(bench.kindsAfter(mark).filter((kind) => kind !== 'start')).toEqual(['drained']);
  });

  it('stay where they have become those of the live DomU again', async () => {
    oldConnection();
    const { id } = await mailSwitch({ connections: 'drain', drainFor: MINUTE });
    await bench.engine.rollback(id, ACTOR);
    await bench.pass(2 * MINUTE);
    expect(await connections()).toBe(1);
  });

  it('are not cut for a switch that failed, though another one has moved everybody meanwhile', async () => {
    bench.kernel.failNext('commit', new KernelError('no', { code: 'EIO' }));
    await expect(mailSwitch({ connections: 'drain', drainFor: MINUTE })).rejects.toThrow(Refusal);
    oldConnection();
    await mailSwitch({ connections: 'drain', drainFor: null });
    await bench.pass(2 * MINUTE);
    expect(await connections()).toBe(1);
  });
});

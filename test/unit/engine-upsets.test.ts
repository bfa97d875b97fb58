import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KernelError } from '../../src/lib/errors.ts';
import { BRIDGE_NETFILTER, SYSCTL } from '../../src/plan/links.ts';
import { ACTOR, Bench, definition, network } from './support/engine-bench.ts';
import { switchBoth } from './support/engine-verbs.ts';

const MAIL = '192.0.2.25';
const MINUTE = 60_000;
const refused = (): KernelError => new KernelError('the kernel says no', { code: 'EIO' });

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

const mailSwitch = (): ReturnType<typeof bench.engine.switchOver> =>
  bench.engine.switchOver({ services: ['mail'], to: 'secondary' }, ACTOR);

describe('a confirm that is decided before the rules show it', () => {
  it('loses nothing of what is changed meanwhile, neither in memory nor over a restart', async () => {
    const { id } = await mailSwitch();
    bench.kernel.failNext('rules', refused());
    await expect(bench.engine.confirm(id, ACTOR)).rejects.toThrow(/is decided/);
    await bench.engine.hold('mail', 30 * MINUTE, ACTOR);
    await bench.engine.enrol('mail', network('203.0.113.9'), { expiresIn: null, note: null }, ACTOR);
    const confirmed = {
      primary: 'b',
      testing: 'closed',
      trial: null,
      heldUntil: bench.clock.now() + 30 * MINUTE,
    };
    await bench.pass(1000);
    await bench.pass(1000);
    expect((await bench.snapshot('mail')).state).toMatchObject(confirmed);
    expect((await bench.snapshot('mail')).state.testers).toHaveLength(2);
    expect(bench.store.intents()).toEqual([]);
    await bench.expectKernelIsPlan();
    await bench.restart();
    expect((await bench.snapshot('mail')).state).toMatchObject(confirmed);
    await bench.expectKernelIsPlan();
  });

  it('moves nobody where the director dies before it is done, whatever was changed meanwhile', async () => {
    const { id } = await mailSwitch();
    bench.kernel.failNext('rules', refused());
    await expect(bench.engine.confirm(id, ACTOR)).rejects.toThrow(/is decided/);
    await bench.engine.hold('mail', 30 * MINUTE, ACTOR);
    await bench.restart();
    expect((await bench.snapshot('mail')).state).toMatchObject({
      primary: 'b',
      testing: 'closed',
      trial: null,
    });
    expect(await bench.reached(MAIL)).toBe('10.25.0.3');
    await bench.expectKernelIsPlan();
  });

  it('can be neither rolled back nor confirmed again, though the disk has not taken it', async () => {
    const { id } = await mailSwitch();
    // The intent and its mark are written; then the disk is full.
    let writes = 0;
    bench.fail((_, what) => (what === 'write' && ++writes > 2 ? 'refuse' : undefined));
    await expect(bench.engine.confirm(id, ACTOR)).rejects.toThrow(/is decided/);
    await expect(bench.engine.rollback(id, ACTOR)).rejects.toThrow(
      /is confirmed already|unavailable|conflict|no switch|trial already/,
    );
    expect(await bench.reached(MAIL)).toBe('10.25.0.3');
    bench.fail(() => undefined);
    await bench.pass(1000);
    await bench.pass(1000);
    expect(bench.engine.switchById(id)).toMatchObject({ state: 'confirmed' });
    await bench.restart();
    expect((await bench.snapshot('mail')).state.primary).toBe('b');
    await bench.expectKernelIsPlan();
  });
});

describe('a full disk', () => {
  it('stops no rollback: everybody goes back, stays there, and it is written as soon as there is room', async () => {
    const { id } = await switchBoth(bench);
    bench.fail((_, what) => (what === 'write' ? 'refuse' : undefined));
    await expect(bench.engine.rollback(id, ACTOR)).rejects.toThrow(/could not be written down/);
    expect(await bench.reached(MAIL)).toBe('10.25.0.2');
    await bench.pass(20_000);
    await bench.pass(20_000);
    expect(await bench.reached(MAIL)).toBe('10.25.0.2');
    bench.fail(() => undefined);
    for (let n = 0; n < 4; n++) await bench.pass(60_000);
    expect(bench.engine.switchById(id)).toMatchObject({ state: 'rolled-back' });
    await bench.restart();
    expect(await bench.reached(MAIL)).toBe('10.25.0.2');
    await bench.expectKernelIsPlan();
  });

  it.each(['at once', 'and another one of another service'])(
    'stops no rollback that a restart would take back, %s: what the kernel says counts',
    async (how) => {
      const { id } = await mailSwitch();
      const other = await bench.engine.switchOver({ services: ['ldap'], to: 'secondary' }, ACTOR);
      const mark = bench.lastJournal();
      bench.fail((_, what) => (what === 'write' ? 'refuse' : undefined));
      await expect(bench.engine.rollback(id, ACTOR)).rejects.toThrow(/could not be written down/);
      if (how !== 'at once') await expect(bench.engine.rollback(other.id, ACTOR)).rejects.toThrow();
      await bench.restart();
      expect(await bench.reached(MAIL)).toBe('10.25.0.2');
      expect(bench.engine.switchById(id)).toMatchObject({ state: 'rolled-back', error: null });
      expect(bench.journalAfter(mark)[0]).toMatchObject({
        kind: 'rollback',
        services: ['mail'],
        details: { switch: id, recovered: true },
      });
      const ldap = how === 'at once' ? 'trial' : 'rolled-back';
      expect(bench.engine.switchById(other.id)).toMatchObject({ state: ldap });
      await bench.expectKernelIsPlan();
    },
  );

  it('that stops a switch leaves nothing by which a later one is taken for it', async () => {
    let writes = 0;
    bench.fail((_, what) => (what === 'write' && ++writes > 1 ? 'refuse' : undefined));
    await expect(mailSwitch()).rejects.toThrow();
    expect(await bench.reached(MAIL)).toBe('10.25.0.2');
    bench.fail(() => undefined);
    const { id } = await mailSwitch();
    await bench.restart();
    expect((await bench.snapshot('mail')).activeSwitch).toMatchObject({ id });
    expect(bench.store.trials().map((record) => record.id)).toEqual([id]);
    await bench.expectKernelIsPlan();
  });
});

describe('what somebody else changes', () => {
  it('is put back, and told with what it was', async () => {
    await switchBoth(bench);
    const kernel = bench.kernel.dump();
    const mark = bench.lastJournal();
    bench.kernel.flushTable(4, 'nat');
    bench.kernel.flushSet('dir-vips');
    for (let n = 0; n < 30; n++) await bench.pass(500);
    expect(bench.kernel.dump()).toBe(kernel);
    const [repair] = bench.journalAfter(mark);
    expect(repair).toMatchObject({ kind: 'repair' });
    expect(repair?.text).toMatch(/dir-vips.*nat|nat.*dir-vips/);
    expect(repair?.details).toMatchObject({ services: ['mail', 'ldap'] });
  });

  it('is told with the services that it is about, and no others', async () => {
    const mark = bench.lastJournal();
    bench.kernel.flushTable(4, 'nat', 'DIR-ldap');
    expect(await bench.engine.plan()).toMatchObject({ services: ['ldap'] });
    for (let n = 0; n < 30; n++) await bench.pass(500);
    expect(bench.journalAfter(mark).map(({ kind, details }) => [kind, details['services']])).toEqual([
      ['repair', ['ldap']],
    ]);
  });

  it('is put back at once each time, where it stayed as it was meanwhile: a firewall that is reloaded by hand', async () => {
    for (let reload = 0; reload < 12; reload++) {
      for (let second = 0; second < 8; second++) await bench.pass(1000);
      bench.kernel.flushTable(4, 'nat');
      for (let n = 0; n < 4; n++) await bench.pass(250);
      expect(await bench.reached(MAIL), `reload ${reload}`).toBe('10.25.0.2');
    }
  });

  it('is put back more and more seldom where it is undone at once, and at once when that has ended', async () => {
    const mark = bench.lastJournal();
    for (let n = 0; n < 240; n++) {
      bench.kernel.flushTable(4, 'nat');
      await bench.pass(250);
    }
    const told = bench.journalAfter(mark).map(({ text }) => text);
    expect(told.length).toBeLessThan(15);
    expect(told.at(-1)).toMatch(/again and again/);
    for (let n = 0; n < 60; n++) await bench.pass(1000);
    bench.kernel.flushTable(4, 'nat');
    for (let n = 0; n < 4; n++) await bench.pass(250);
    expect(await bench.reached(MAIL)).toBe('10.25.0.2');
  });

  it('is noticed at every glance where it is a setting that the plan depends on', async () => {
    const asked = vi.spyOn(bench.kernel, 'fingerprint');
    await bench.pass(1000);
    const keys = (asked.mock.lastCall as readonly unknown[] | undefined)?.[0];
    expect(keys).toEqual(expect.arrayContaining([...Object.values(SYSCTL), ...BRIDGE_NETFILTER]));
  });

  it('makes the director unready for as long as it cannot be put back', async () => {
    bench.kernel.flushTable(4, 'nat');
    bench.kernel.failNext('rules', refused());
    await bench.pass(500);
    await bench.pass(500);
    for (let n = 0; n < 20; n++) await bench.pass(1000);
    expect(bench.engine.readiness()).toMatchObject({ ready: true });
    expect(bench.kindsAfter(0)).toContain('repair');
    await bench.expectKernelIsPlan();
  });
});

describe('a start', () => {
  const start = async (at: number): Promise<boolean> => {
    await bench.startWith((n) => (n === at ? 'die' : undefined));
    return bench.dead;
  };

  it.each(['with nothing there', 'on trial', 'after a reboot on trial'])(
    'that dies at any moment is done by the next one: %s',
    async (how) => {
      for (let at = 0; ; at++) {
        bench.close();
        bench = await Bench.open();
        if (how !== 'with nothing there') await switchBoth(bench);
        const state = await bench.state();
        bench.kill();
        if (how !== 'on trial') bench.reboot();
        if (how === 'with nothing there') bench.forget();
        const dead = await start(at);
        if (!dead) break;
        bench.kill();
        await bench.start();
        expect(await bench.state()).toEqual(state);
        await bench.expectKernelIsPlan();
      }
    },
  );

  it('refuses a configuration that does not fit what was defined over the API, and touches nothing', async () => {
    await bench.engine.define('web', definition('web', 80), ACTOR);
    bench.kill();
    const kernel = bench.kernel.dump();
    bench.configure({ mail: definition('mail', 25), other: definition('other', 80) });
    await expect(bench.start()).rejects.toThrow(/do not fit together/);
    expect(bench.kernel.dump()).toBe(kernel);
  });
});

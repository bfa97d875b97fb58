import { afterEach, expect, test } from 'vitest';
import type { Service } from '../../src/model/service.ts';
import { FakeXen } from '../../src/xen/fake.ts';
import { Guests } from '../../src/xen/guests.ts';
import type { GuestChange } from '../../src/xen/guests.ts';
import { NoHypervisor } from '../../src/xen/none.ts';
import { HandClock } from '../contract/hand-clock.ts';
import { mailService } from './support/director-double.ts';

const releases: (() => unknown)[] = [];
afterEach(() => {
  for (const release of releases.splice(0)) release();
});

const MACS = { 'mail-a': '00:16:3e:00:00:0a', 'mail-b': '00:16:3e:00:00:0b' } as const;

function service(): Service {
  const mail = mailService();
  const [a, b] = mail.domus;
  return {
    ...mail,
    domus: [
      { ...a, vifs: [], macs: [MACS['mail-a']] },
      { ...b, vifs: [], macs: [MACS['mail-b']] },
    ],
  };
}

const guest = (name: keyof typeof MACS) => ({ name, vifs: [{ mac: MACS[name], bridge: 'br-mail' }] });

/** Both DomUs run as domains 1 and 2, and nothing has happened for long. */
async function watched() {
  const [xen, clock] = [new FakeXen(), new HandClock()];
  xen.start(guest('mail-a'));
  xen.start(guest('mail-b'));
  const guests = new Guests({ hypervisor: xen, clock });
  releases.push(() => guests.close());
  const told: string[] = [];
  const failures: string[] = [];
  const vifs: (readonly string[] | undefined)[] = [];
  guests.watch([service()]);
  await guests.look();
  guests.start({
    onReport: () => undefined,
    onVifs: () => vifs.push(guests.interfaces?.byDomu.get('mail mail-b')),
    onTold: (changes) => told.push(...changes.map(textOf)),
    onFailure: (error) => failures.push(error instanceof Error ? error.message : String(error)),
  });
  await clock.turn(120_000);
  told.splice(0);
  vifs.splice(0);
  return { xen, clock, guests, told, vifs, failures };
}

const textOf = ({ domu, before, now }: GuestChange): string =>
  `${domu}: ${before?.state ?? 'nobody knows'} ${before?.domid ?? '-'} -> ${now.state} ${now.domid ?? '-'}`;

test('a crash, an end and a start are seen as they are told, with the number of the new domain', async () => {
  const { xen, clock, guests, told } = await watched();
  await xen.crash('mail-b');
  await clock.turn(200);
  expect(guests.report('mail', 'mail-b')).toMatchObject({ state: 'crashed', domid: 2 });
  await xen.destroy('mail-b');
  await clock.turn(200);
  expect(guests.report('mail', 'mail-b')).toMatchObject({ state: 'absent', domid: null });
  await clock.turn(5000);
  xen.start(guest('mail-b'));
  await clock.turn(200);
  expect(guests.report('mail', 'mail-b')).toMatchObject({ state: 'running', domid: 3 });
  expect(guests.report('mail', 'mail-a')).toMatchObject({ state: 'running', domid: 1 });
  expect(told).toEqual([
    'mail-b: running 2 -> crashed 2',
    'mail-b: crashed 2 -> absent -',
    'mail-b: absent - -> running 3',
  ]);
});

test('a reboot is told as one thing, although the guest is gone and then paused on its way', async () => {
  const { xen, clock, told } = await watched();
  await xen.destroy('mail-b');
  await clock.turn(300);
  xen.start(guest('mail-b'), 'paused');
  await clock.turn(800);
  await xen.unpause('mail-b');
  await clock.turn(10_000);
  expect(told).toEqual(['mail-b: running 2 -> running 3']);
});

test('a vif that comes back under another number is known by its new name at once', async () => {
  const { xen, clock, guests, vifs } = await watched();
  expect(guests.interfaces?.byDomu.get('mail mail-b')).toEqual(['vif2.0']);
  const before = guests.interfaces;
  await clock.turn(60_000);
  expect(guests.interfaces).toBe(before);
  await xen.destroy('mail-b');
  xen.start(guest('mail-b'));
  await clock.turn(200);
  expect(vifs).toEqual([['vif3.0']]);
});

test('a pause, of which nobody tells, is seen within half a minute, and at once where somebody asks', async () => {
  const { xen, clock, guests, told } = await watched();
  await xen.pause('mail-a');
  await guests.look();
  expect(guests.report('mail', 'mail-a')?.state).toBe('paused');
  await xen.pause('mail-b');
  await clock.turn(32_000);
  expect(guests.report('mail', 'mail-b')?.state).toBe('paused');
  expect(told).toContain('mail-b: running 2 -> paused 2');
});

test('while nothing happens it is hardly looked, and not much more where nobody tells of changes', async () => {
  const { xen, clock } = await watched();
  const looks = async (): Promise<number> => {
    const before = xen.looks;
    await clock.turn(600_000);
    return xen.looks - before;
  };
  expect(await looks()).toBe(20);
  xen.fallSilent();
  await clock.turn(60_000);
  expect(await looks()).toBe(60);
});

test('a guest that is being built is not told to be paused; one that stays so is', async () => {
  const { xen, clock, told } = await watched();
  await xen.destroy('mail-b');
  await clock.turn(5000);
  told.splice(0);
  xen.start(guest('mail-b'), 'paused');
  await clock.turn(50_000);
  expect(told).toEqual([]);
  await clock.turn(60_000);
  expect(told).toEqual(['mail-b: absent - -> paused 3']);
});

test('many things at once are one look', async () => {
  const { xen, clock } = await watched();
  const before = xen.looks;
  for (let n = 0; n < 50; n++) xen.start({ name: `other-${n}` });
  await clock.turn(500);
  expect(xen.looks - before).toBe(1);
});

test('a vif is known before it is known how its guest is, which takes longer', async () => {
  const { xen, clock, guests, vifs } = await watched();
  xen.domains = () => new Promise(() => undefined);
  await xen.destroy('mail-b');
  await clock.turn(200);
  // It is being looked, and for long.
  xen.start(guest('mail-b'));
  await clock.turn(200);
  expect(vifs).toEqual([[], ['vif3.0']]);
  expect(guests.report('mail', 'mail-b')).toMatchObject({ domid: 2 });
});

test('what is told during a look is looked for right after it', async () => {
  const { xen, clock, guests } = await watched();
  const domains = xen.domains.bind(xen);
  let answer: () => void = () => undefined;
  xen.domains = async () => {
    const seen = await domains();
    await new Promise<void>((resolve) => (answer = resolve));
    return seen;
  };
  xen.start({ name: 'other' });
  await clock.turn(200);
  await xen.crash('mail-b');
  await clock.turn(500);
  xen.domains = domains;
  answer();
  await new Promise(setImmediate);
  await clock.turn(200);
  expect(guests.report('mail', 'mail-b')?.state).toBe('crashed');
});

test('who asks while it is looked has a look that began after he asked', async () => {
  const { xen, guests } = await watched();
  const [first, second, third] = [guests.look(), guests.look(), guests.look()];
  const before = xen.looks;
  await xen.crash('mail-b');
  await Promise.all([first, second, third]);
  expect(xen.looks - before).toBe(1);
  expect(guests.report('mail', 'mail-b')?.state).toBe('crashed');
});

test('a Xen that does not answer is told once, and interfaces stay what they were', async () => {
  const { xen, clock, guests, told, vifs, failures } = await watched();
  xen.fail('xl: no');
  await clock.turn(120_000);
  expect(guests.answers).toBe(false);
  expect(guests.report('mail', 'mail-b')).toMatchObject({ state: 'unknown', domid: 2 });
  expect(guests.interfaces?.byDomu.get('mail mail-b')).toEqual(['vif2.0']);
  xen.fail(null);
  await clock.turn(60_000);
  expect(guests.report('mail', 'mail-b')?.state).toBe('running');
  expect([failures, told, vifs]).toEqual([['xl: no', 'null'], [], []]);
});

test('one look that fails is nobody’s business', async () => {
  const { xen, clock, guests, failures } = await watched();
  xen.fail('xl: busy');
  await guests.look();
  xen.fail(null);
  await clock.turn(60_000);
  expect([failures, guests.answers]).toEqual([[], true]);
});

test('what an earlier director was told is what changes are told against', async () => {
  const clock = new HandClock();
  const xen = new FakeXen();
  const guests = new Guests({ hypervisor: xen, clock });
  releases.push(() => guests.close());
  const told: string[] = [];
  guests.watch([service()]);
  guests.remember(
    new Map([
      ['mail mail-a', { state: 'running', domid: 4 }],
      ['mail mail-b', { state: 'absent', domid: null }],
    ]),
  );
  guests.start({
    onReport: () => undefined,
    onVifs: () => undefined,
    onTold: (changes) => told.push(...changes.map(textOf)),
    onFailure: () => undefined,
  });
  await clock.turn(10_000);
  expect(told).toEqual(['mail-a: running 4 -> absent -']);
});

test('a definition that changes is matched anew with what is known', async () => {
  const { guests } = await watched();
  const [a, b] = service().domus;
  guests.watch([
    {
      ...service(),
      domus: [
        { ...a, vifs: ['tap-a'] },
        { ...b, domain: 'mail-x', macs: [] },
      ],
    },
  ]);
  expect(guests.interfaces?.byDomu.get('mail mail-a')).toEqual(['vif1.0', 'tap-a']);
  expect(guests.interfaces?.byDomu.get('mail mail-b')).toEqual([]);
});

test('without Xen nothing is looked at, ever', async () => {
  const clock = new HandClock();
  const guests = new Guests({ hypervisor: new NoHypervisor('no Xen'), clock });
  guests.watch([service()]);
  guests.start({
    onReport: () => undefined,
    onVifs: () => undefined,
    onTold: () => undefined,
    onFailure: () => undefined,
  });
  await guests.look();
  expect(clock.waiting).toBe(0);
  expect([guests.interfaces, guests.report('mail', 'mail-a'), guests.answers]).toEqual([null, null, null]);
  expect(guests.presence).toEqual({ kind: 'none', reason: 'no Xen' });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Held } from '../../src/lab/clients.ts';
import { ADMINS, CLIENTS } from '../../src/lab/topology.ts';
import type { World } from '../../src/lab/world.ts';
import { done, showBridges, tellRefusals } from './support/directing.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { editConfig } from './support/edit-config.ts';
import { kernelText } from './support/kernel-text.ts';
import { Operator } from './support/operator.ts';
import { ADMIN, all, Caller, CUSTOMER, goals, host, listen, NEIGHBOUR } from './support/outwards.ts';
import { OUTSIDE_PORT, outwards, turnOf } from './support/outwards.ts';
import type { Goal, Outwards } from './support/outwards.ts';
import { aims, expected, FAMILIES, reachOf } from './support/reach.ts';

/** A refusal that comes while connect(2) still has the socket is lost on it; nobody waits for its second try. */
const REFUSED_WITHIN = 700;

let directed: DirectedWorld;
let operator: Operator;
let world: World;
/** Everything that is no business of a dark DomU. */
let anywhere: Goal[];
let restore: () => Promise<void> = () => Promise.resolve();
const held: Held[] = [];

beforeAll(async () => {
  directed = await directedWorld();
  operator = new Operator(directed);
  ({ world } = directed);
  await listen(world, ['customer', 'neighbour', 'admin', 'dom0', 'ldap-a']);
  await tellRefusals(world);
  const [mail, ldap] = [world.service('mail'), world.service('ldap')];
  anywhere = [
    ...[...CUSTOMER, ...NEIGHBOUR, ...ADMIN, ...host(mail.gateway)],
    ...goals('ldap', ldap, ['389/tcp', '389/udp']),
    ...goals('ldap-a', world.domu('ldap-a'), ['389/tcp', `${OUTSIDE_PORT}/tcp`, `${OUTSIDE_PORT}/udp`]),
  ];
}, 60_000);

afterEach(async () => {
  await Promise.all(held.splice(0).map((one) => one.stop()));
  if (directed.daemon.process.ended) await directed.daemon.start();
  await operator.settleAll();
  await restore();
  await done(directed, 'reload');
});
afterAll(() => directed.end());

/** Mail's quarantine as the configuration says it, loaded; it is taken away after the test. */
async function quarantine(value: unknown): Promise<void> {
  restore = await editConfig(directed.daemon.configFile, ({ services }) => {
    services['mail']!['quarantine'] = value;
  });
  await done(directed, 'reload');
}

const expectThrough = async (domu: string, goals: readonly Goal[] = anywhere): Promise<void> =>
  expect(await outwards(world, domu, goals)).toEqual(all(domu, goals, 'through'));
const expectShut = async (domu: string, goals: readonly Goal[] = anywhere): Promise<void> =>
  expect(await outwards(world, domu, goals, REFUSED_WITHIN)).toEqual(all(domu, goals, 'refused'));

describe('a reload', () => {
  it('that adds a quarantine shuts the dark DomU in, and one that takes it away leaves no trace of it', async () => {
    const before = await kernelText(world);
    expect(before).not.toMatch(/DIR-OUT|dir-quarantine|-A INPUT/);
    await expectThrough('mail-b');

    await quarantine(true);
    const during = await kernelText(world);
    for (const trace of [
      '-A INPUT -j DIR-OUT',
      'DIR-OUT-mail.b',
      'add dir-quarantine ',
      'add dir-quarantine6 ',
    ])
      expect(during).toContain(trace);
    await expectShut('mail-b');

    await restore();
    await done(directed, 'reload');
    expect(await kernelText(world)).toBe(before);
    await expectThrough('mail-b');
  });
});

describe('a dark DomU that is quarantined', () => {
  it('opens nothing outwards, by TCP or UDP, in either family; the live one and other services do as they like', async () => {
    await quarantine(true);
    await expectShut('mail-b');
    await expectThrough('mail-a');
    const elsewhere = [...CUSTOMER, ...NEIGHBOUR, ...ADMIN, ...host(world.service('ldap').gateway)];
    await expectThrough('ldap-a', elsewhere);
    await expectThrough('ldap-b', elsewhere);
  });

  it.each([true, false])('reaches its peer on the bridge (shown to iptables: %s)', async (shown) => {
    await quarantine(true);
    await showBridges(world, shown);
    const peer = aims('mail-a', ['25/tcp', '514/udp']);
    expect(await reachOf(world, ['mail-b'], peer)).toEqual(expected(world, ['mail-b'], peer, 'mail-a'));
    await expectShut('mail-b', [...CUSTOMER, ...host(world.service('mail').gateway)]);
  });

  it('answers testers, administrators and the director, also when all of them have to find its link address anew', async () => {
    await quarantine(true);
    for (const namespace of ['dom0', 'mail-b'])
      for (const family of FAMILIES)
        await world.must(namespace, ['ip', `-${family}`, 'neigh', 'flush', 'all', 'nud', 'all']);
    const [atService, direct] = [
      aims('mail', ['25/tcp', '514/udp', '80/tcp']),
      aims('mail-b', ['25/tcp', '514/udp']),
    ];
    expect(await reachOf(world, ['tester', 'beta'], atService)).toEqual(
      expected(world, ['tester', 'beta'], atService, 'mail-b'),
    );
    expect(await reachOf(world, ['admin', 'tester'], direct)).toEqual(
      expected(world, ['admin', 'tester'], direct, 'mail-b'),
    );
    await directed.daemon.healthy();
  });

  it('keeps the connections that it had open when it was quarantined, and when it became dark', async () => {
    const open = async (domu: string, family: 4 | 6): Promise<Held> => {
      const host = family === 4 ? CLIENTS.customer.ipv4 : CLIENTS.customer.ipv6;
      const one = world.hold(domu, { host, port: OUTSIDE_PORT, every: 50 });
      held.push(one);
      await one.next(({ text }) => text.startsWith('customer: '), 10_000);
      return one;
    };
    const asDark = await Promise.all(FAMILIES.map((family) => open('mail-b', family)));
    await quarantine(true);
    await expectShut('mail-b', CUSTOMER);
    for (const one of asDark) expect(await one.next()).toMatchObject({ text: 'customer: line', error: null });

    const asLive = await Promise.all(FAMILIES.map((family) => open('mail-a', family)));
    await operator.switch('mail');
    await expectShut('mail-a', CUSTOMER);
    for (const one of [...asDark, ...asLive])
      expect(await one.next()).toMatchObject({ text: 'customer: line', error: null });
  });

  it('opens what is on its list, by what it asks for, and nothing else', async () => {
    const [admins4, admins6] = ADMINS;
    const { ipv4, ipv6 } = world.service('ldap');
    const { gateway } = world.service('mail');
    await quarantine([
      CLIENTS.customer.ipv4,
      CLIENTS.customer.ipv6,
      { to: admins4, ports: [`${OUTSIDE_PORT}/tcp`] },
      { to: admins6, ports: [`${OUTSIDE_PORT}/tcp`] },
      { to: ipv4, ports: ['300-400/udp'] },
      { to: ipv6, ports: ['300-400/udp'] },
      { to: gateway.ipv4, ports: [`${OUTSIDE_PORT}/udp`] },
      { to: gateway.ipv6, ports: [`${OUTSIDE_PORT}/udp`] },
    ]);
    const allowed = [
      ...CUSTOMER,
      ...ADMIN.filter(({ port }) => port.endsWith('/tcp')),
      ...host(gateway).filter(({ port }) => port.endsWith('/udp')),
      ...anywhere.filter(({ name, port }) => name === 'ldap' && port.endsWith('/udp')),
    ];
    await expectThrough('mail-b', allowed);
    await expectShut(
      'mail-b',
      anywhere.filter(({ name, port }) => !allowed.some((one) => one.name === name && one.port === port)),
    );
    await expectThrough('mail-a');
  });
});

describe('a switch of a quarantined service', () => {
  let wanted: Goal[];
  beforeAll(() => {
    const goals = [...CUSTOMER, ...host(world.service('mail').gateway)];
    // Datagrams from a port that was used when the DomU was live would belong to what was open then.
    wanted = goals.filter(({ port }) => port.endsWith('/tcp'));
  });

  /** Runs `act` while both DomUs call outwards all the time: there is one moment at which they change places. */
  async function expectOneTurn(old: string, next: string, act: () => Promise<unknown>): Promise<void> {
    const callers = [new Caller(world, old, wanted), new Caller(world, next, wanted)] as const;
    const [ofOld, ofNext] = callers;
    const heard = (since: number, turned: boolean): Promise<unknown> =>
      expect
        .poll(() => Math.min(ofOld.count(!turned, since), ofNext.count(turned, since)), { timeout: 15_000 })
        .toBeGreaterThan(10);
    try {
      await heard(0, false);
      const began = performance.now();
      await act();
      const ended = performance.now();
      await heard(ended, true);
      await Promise.all(callers.map((caller) => caller.stop()));
      const { notBefore, notAfter } = turnOf(ofOld, ofNext);
      expect(Math.max(notBefore, began)).toBeLessThanOrEqual(Math.min(notAfter, ended));
    } finally {
      await Promise.all(callers.map((caller) => caller.stop()));
    }
  }

  it('shuts the old DomU in and lets the new one out in the moment of the flip, and of the rollback', async () => {
    await quarantine(true);
    await expectOneTurn('mail-a', 'mail-b', () => operator.switch('mail'));
    await expectShut('mail-a');
    await expectThrough('mail-b');
    await expectOneTurn('mail-b', 'mail-a', () => operator.settleAll());
    await expectShut('mail-b');
    await expectThrough('mail-a');
  });

  it('stays as it is through the confirm and a restart, and is the same in the other direction', async () => {
    await quarantine(true);
    const { primary, secondary } = await operator.roles('mail');
    const trial = await operator.switch('mail');
    const callers = [new Caller(world, primary, wanted), new Caller(world, secondary, wanted)] as const;
    const [dark, live] = callers;
    const since = performance.now();
    const both = (): Promise<unknown> => {
      const [shut, through] = [dark.count(false, since), live.count(true, since)];
      return expect
        .poll(() => [dark.count(false, since) > shut + 10, live.count(true, since) > through + 10], {
          timeout: 15_000,
        })
        .toEqual([true, true]);
    };
    try {
      await both();
      await operator.confirm(trial);
      await both();
      await directed.daemon.kill();
      await both();
      await directed.daemon.start();
      await both();
    } finally {
      await Promise.all(callers.map((caller) => caller.stop()));
    }
    expect([dark.count(true, since), live.count(false, since)]).toEqual([0, 0]);
    expect(await operator.roles('mail')).toEqual({ primary: secondary, secondary: primary });

    await expectOneTurn(secondary, primary, () => operator.switch('mail'));
    await operator.settleAll();
    await expectOneTurn(secondary, primary, async () => operator.confirm(await operator.switch('mail')));
    await operator.testing('mail', 'open');
  });

  it('that nobody confirms is turned back by the kernel, when the director was killed', async () => {
    await quarantine(true);
    await operator.switch('mail', { confirmWithin: '3s' });
    await directed.daemon.kill();
    const seen = async (): Promise<Outwards> => ({
      ...(await outwards(world, 'mail-a', wanted, REFUSED_WITHIN)),
      ...(await outwards(world, 'mail-b', wanted, REFUSED_WITHIN)),
    });
    await expect
      .poll(seen, { timeout: 15_000 })
      .toEqual({ ...all('mail-a', wanted, 'through'), ...all('mail-b', wanted, 'refused') });
    await expectShut('mail-b');
    await directed.daemon.start();
    await expectShut('mail-b');
    await expectThrough('mail-a');
  });
});

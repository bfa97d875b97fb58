import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Held } from '../../src/lab/clients.ts';
import { CLIENTS } from '../../src/lab/topology.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Operator } from './support/operator.ts';
import { refuseAll } from './support/refuse-all.ts';

let directed: DirectedWorld;
let operator: Operator;
const held: Held[] = [];

beforeAll(async () => {
  directed = await directedWorld();
  operator = new Operator(directed);
});
afterEach(async () => {
  await Promise.all(held.splice(0).map((one) => one.stop()));
  await operator.settleAll();
});
afterAll(() => directed.end());

/** A connection that is kept; resolves when it has been answered. */
async function hold(
  client: string,
  target: { host: string; port: number; protocol?: 'tcp' | 'udp'; family?: 4 | 6 },
): Promise<Held> {
  const one = directed.world.hold(client, { ...target, every: 50 });
  held.push(one);
  await one.next(({ text }) => text !== '', 10_000);
  return one;
}

const lives = (one: Held): Promise<unknown> => one.next(({ error }) => error === null, 10_000);
const ends = (one: Held): Promise<unknown> =>
  expect.poll(() => one.ended, { timeout: 15_000 }).not.toBe(null);

describe('a switch', () => {
  it("moves everybody's next connection in both families, and nobody of another service", async () => {
    await operator.expectReached('customer', 'mail', 'mail-a');
    const done = await operator.switch('mail', { reason: 'mail 2.0' });
    for (const client of ['customer', 'neighbour', 'beta', 'tester'])
      await operator.expectReached(client, 'mail', 'mail-b');
    await operator.expectReached('customer', 'ldap', 'ldap-a');
    expect(done).toMatchObject({ state: 'trial', services: ['mail'], reason: 'mail 2.0', error: null });
    expect(await operator.service('mail')).toMatchObject({
      phase: 'trial',
      live: 'secondary',
      primary: { domu: 'mail-a' },
      switch: { id: done.id, state: 'trial' },
    });
  });

  it('tells how long the kernel took, and that no family was ahead of the other', async () => {
    const { kernel } = await operator.switch('mail');
    expect(kernel.flipMicros).toBeGreaterThan(0);
    expect(kernel.familySkewMicros).toBe(0);
  });

  it('that is rolled back has everybody where they were, and testers on the secondary', async () => {
    const ended = await operator.rollBack(await operator.switch('mail'));
    expect(ended.state).toBe('rolled-back');
    await operator.expectReached('customer', 'mail', 'mail-a');
    await operator.expectReached('tester', 'mail', 'mail-b');
    expect(await operator.service('mail')).toMatchObject({
      phase: 'settled',
      live: 'primary',
      testing: 'open',
      switch: null,
    });
  });

  it('ends once: a trial that has ended can be neither confirmed nor rolled back', async () => {
    const { id } = await operator.rollBack(await operator.switch('mail'));
    for (const verb of ['confirm', 'rollback'])
      await operator.must(409, 'POST', `/v1/switches/${id}/${verb}`, {});
    await operator.must(404, 'POST', '/v1/switches/sw-unknown/confirm', {});
  });

  it('to where everybody is already is refused', async () => {
    await operator.must(409, 'POST', '/v1/switches', { services: ['mail'], to: 'primary' });
  });
});

describe('a switch of several services (argo-rollouts#2088, argo-rollouts#451)', () => {
  it('moves all of them, and a rollback of one takes all back', async () => {
    const done = await directed.director('switch', 'mail', 'ldap', '--to', 'secondary');
    expect(done).toMatchObject({ code: 0, stderr: '' });
    await operator.expectReached('customer', 'mail', 'mail-b');
    await operator.expectReached('customer', 'ldap', 'ldap-b');
    const [mail, ldap] = await Promise.all([operator.service('mail'), operator.service('ldap')]);
    expect(mail.switch?.id).toBe(ldap.switch?.id);
    expect(await directed.director('rollback', 'ldap')).toMatchObject({ code: 0, stderr: '' });
    await operator.expectReached('customer', 'mail', 'mail-a');
    await operator.expectReached('customer', 'ldap', 'ldap-a');
  });

  async function expectNeither(complaint: RegExp, services: readonly string[]): Promise<void> {
    const before = await operator.service('mail');
    const { code, stderr } = await directed.director('switch', ...services, '--to', 'secondary');
    expect(code).toBe(1);
    expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(complaint);
    await operator.expectReached('customer', 'mail', 'mail-a');
    const after = await operator.service('mail');
    expect(after).toMatchObject({ phase: 'settled', live: 'primary', generation: before.generation });
  }

  it('moves none of them when one is on trial already', async () => {
    await operator.switch('ldap');
    await expectNeither(/ldap is on trial/, ['mail', 'ldap']);
    await operator.expectReached('customer', 'ldap', 'ldap-b');
  });

  it('moves none of them when one is unknown', () =>
    expectNeither(/no service "nobody"/, ['mail', 'nobody']));

  it('moves none of them when one is not healthy, unless it is forced; going back, to a broken side too, is never refused (flagger#1898, flagger#1588)', async () => {
    const mendNext = await refuseAll(directed.world, 'ldap-b');
    try {
      await expectNeither(/ldap-b of ldap is not healthy/, ['mail', 'ldap']);
      await operator.expectReached('customer', 'ldap', 'ldap-a');
      await operator.switch(['mail', 'ldap'], { force: true });
      await operator.expectReached('customer', 'mail', 'mail-b');
      expect(await operator.reached('customer', 'ldap')).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
    } finally {
      await mendNext();
    }
    const mendOld = await refuseAll(directed.world, 'ldap-a');
    try {
      expect(await directed.director('rollback')).toMatchObject({ code: 0 });
      await operator.expectReached('customer', 'mail', 'mail-a');
      expect(await operator.reached('customer', 'ldap')).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
    } finally {
      await mendOld();
    }
    await operator.expectReached('customer', 'ldap', 'ldap-a');
  });
});

describe('TCP connections that are open at the flip', () => {
  it('stay on the old DomU when they drain, in both directions, until they end', async () => {
    const [old4, old6] = [
      await hold('customer', { host: 'mail', port: 25 }),
      await hold('customer', { host: 'mail', port: 25, family: 6 }),
    ];
    const done = await operator.switch('mail', { connections: 'drain' });
    expect(done.flows.kept).toBeGreaterThanOrEqual(2);
    expect(done.flows.cut).toBe(0);
    const young = await hold('customer', { host: 'mail', port: 25 });
    await operator.expectReached('customer', 'mail', 'mail-b');
    for (const one of [old4, old6])
      expect(await one.next()).toMatchObject({ text: 'mail-a: line', error: null });
    await operator.rollBack(done);
    await operator.expectReached('customer', 'mail', 'mail-a');
    expect(await young.next()).toMatchObject({ text: 'mail-b: line', error: null });
    expect(await old4.next()).toMatchObject({ text: 'mail-a: line', error: null });
  });

  it('are cut when the time that they were given to drain is up, and the journal says how many', async () => {
    const old = await hold('customer', { host: 'mail', port: 25 });
    const other = await hold('customer', { host: 'ldap', port: 389 });
    const done = await operator.switch('mail', { connections: 'drain', drainFor: '1s' });
    await ends(old);
    // The clients' last word may be younger than the daemon's.
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(done.committedAt ?? '') + 900);
    expect(old.ended).toBe('ECONNRESET');
    await lives(other);
    await expect
      .poll(async () => (await operator.journal(5)).find(({ kind }) => kind === 'drained')?.details)
      .toMatchObject({ switch: done.id, cut: 1 });
    await operator.expectReached('customer', 'mail', 'mail-b');
  });

  it("are ended at once when they are cut: precisely the service's own, on the old DomU (haproxy#2918, cloudnative-pg#8299)", async () => {
    const cut = [
      await hold('customer', { host: 'mail', port: 25 }),
      await hold('customer', { host: 'mail', port: 993, family: 6 }),
      await hold('neighbour', { host: 'mail', port: 25 }),
    ];
    const others = [
      await hold('customer', { host: 'ldap', port: 389 }),
      await hold('neighbour', { host: 'ldap', port: 636, family: 6 }),
      // A tester's is on the DomU that becomes live, an administrator's goes past the service.
      await hold('tester', { host: 'mail', port: 25 }),
      await hold('admin', { host: directed.world.domu('mail-a').ipv4, port: 25 }),
    ];
    const done = await operator.switch('mail', { connections: 'cut' });
    expect(done.flows).toMatchObject({ kept: 0, cut: cut.length });
    for (const one of cut) await ends(one);
    expect(cut.map(({ ended }) => ended)).toEqual(cut.map(() => 'ECONNRESET'));
    for (const one of others) await lives(one);
    expect(others.map(({ ended }) => ended)).toEqual(others.map(() => null));
  });

  it('are ended by the rollback of such a switch as precisely: testers stay where they are', async () => {
    const done = await operator.switch('mail', { connections: 'cut' });
    const cut = [
      await hold('customer', { host: 'mail', port: 25 }),
      await hold('neighbour', { host: 'mail', port: 25, family: 6 }),
    ];
    const testers = [
      await hold('tester', { host: 'mail', port: 25 }),
      await hold('beta', { host: 'mail', port: 25 }),
    ];
    await operator.rollBack(done);
    for (const one of cut) await ends(one);
    for (const one of testers) await lives(one);
    expect(testers.map(({ ended }) => ended)).toEqual([null, null]);
  });
});

describe('UDP senders (kubernetes#126130, kubernetes#141371, lxd#15065, keepalived#1781, keepalived#2163)', () => {
  it('that ask move with the flip and back with the rollback, from the same port', async () => {
    const asking = [
      await hold('customer', { host: 'mail', port: 514, protocol: 'udp' }),
      await hold('customer', { host: 'mail', port: 514, protocol: 'udp', family: 6 }),
    ];
    const steady = await hold('customer', { host: 'ldap', port: 389, protocol: 'udp' });
    const answeredBy = (domu: string): Promise<unknown> =>
      Promise.all(asking.map((one) => one.next(({ text }) => text.startsWith(`${domu} `), 10_000)));
    await answeredBy('mail-a');
    const done = await operator.switch('mail');
    expect(done.flows.udpFlushed).toBeGreaterThanOrEqual(2);
    await answeredBy('mail-b');
    // For good: the late flow that a packet under way may have made is looked for once more.
    for (const one of asking) expect((await one.next()).text).toMatch(/^mail-b /);
    await operator.rollBack(done);
    await answeredBy('mail-a');
    expect(steady.answers.every(({ text }) => text.startsWith('ldap-a '))).toBe(true);
  });

  it('that are never answered move too, and back', async () => {
    const { world } = directed;
    const arrivals = await countArrivals(['mail-a', 'mail-b']);
    try {
      for (const family of [4, 6] as const)
        held.push(world.hold('customer', { host: 'mail', port: 514, protocol: 'udp', family, every: 50 }));
      await arrivals.growsAlone('mail-a', 'mail-b');
      const done = await operator.switch('mail');
      await arrivals.growsAlone('mail-b', 'mail-a');
      await operator.rollBack(done);
      await arrivals.growsAlone('mail-a', 'mail-b');
      expect(held.flatMap(({ answers }) => answers)).toEqual([]);
    } finally {
      await arrivals.end();
    }
  });

  it("to a DomU's own address are shut out while it is dark, whatever they sent before; administrators are not, nor answers to itself", async () => {
    const { world } = directed;
    const own = world.domu('mail-a');
    const asked = [own.ipv4, own.ipv6].map((host) => ({ host, port: 514, protocol: 'udp' as const }));
    const customers = await Promise.all(asked.map((target) => hold('customer', target)));
    const admins = await Promise.all(asked.map((target) => hold('admin', target)));
    const elsewhere = world.domu('ldap-a');
    const itself = await Promise.all(
      [elsewhere.ipv4, elsewhere.ipv6].map((host) => hold('mail-a', { host, port: 389, protocol: 'udp' })),
    );
    const done = await operator.switch('mail');
    // Two answers that were on their way may still come.
    const before = customers.map(({ answers }) => answers.length + 2);
    for (let round = 0; round < 5; round++)
      await Promise.all([...admins, ...itself].map((one) => one.next(({ text }) => text !== '', 10_000)));
    customers.forEach(({ answers }, i) => expect(answers.length).toBeLessThanOrEqual(before[i] ?? 0));
    await operator.rollBack(done);
    await Promise.all(customers.map((one) => one.next(({ text }) => text !== '', 10_000)));
  });
});

/** Counts the customer's datagrams inside the DomUs, which do not answer them meanwhile. */
async function countArrivals(domus: readonly string[]): Promise<{
  growsAlone(there: string, notThere: string): Promise<void>;
  end(): Promise<void>;
}> {
  const { world } = directed;
  const tools = [
    ['iptables', CLIENTS.customer.ipv4],
    ['ip6tables', CLIENTS.customer.ipv6],
  ] as const;
  const rules = (customer: string): string[][] => [
    ['INPUT', '-s', customer, '-p', 'udp', '--dport', '514'],
    ['OUTPUT', '-d', customer, '-p', 'udp', '--sport', '514', '-j', 'DROP'],
  ];
  const each = async (action: string): Promise<void> => {
    for (const domu of domus)
      for (const [tool, customer] of tools)
        for (const rule of rules(customer)) await world.must(domu, [tool, '-w', action, ...rule]);
  };
  const counts = async (domu: string): Promise<number[]> => {
    const texts = await Promise.all(tools.map(([tool]) => world.must(domu, [tool, '-w', '-nvxL', 'INPUT'])));
    return texts.map((text) => Number(/^\s*(\d+).*dpt:514/m.exec(text)?.[1]));
  };
  await each('-I');
  return {
    /** In both families: it arrives there again and again, and meanwhile nowhere else. */
    growsAlone: async (there, notThere) => {
      await expect
        .poll(
          async () => {
            const [here, elsewhere] = [await counts(there), await counts(notThere)];
            await grown(there, here);
            return (await counts(notThere)).map((count, i) => count - (elsewhere[i] ?? NaN));
          },
          { timeout: 15_000 },
        )
        .toEqual([0, 0]);
    },
    end: () => each('-D'),
  };

  function grown(domu: string, from: readonly number[]): Promise<unknown> {
    return expect
      .poll(async () => (await counts(domu)).every((count, i) => count >= (from[i] ?? NaN) + 5), {
        timeout: 10_000,
      })
      .toBe(true);
  }
}

describe('a whole upgrade, and the next one in the other direction', () => {
  const clients = ['customer', 'tester', 'beta', 'neighbour'] as const;

  /** What whoami says is what the clients see: each client, service and family. */
  async function expectTheTruth(): Promise<void> {
    for (const client of clients) {
      const { ipv4, ipv6 } = CLIENTS[client];
      const said = await Promise.all(
        [ipv4, ipv6].map((source) => operator.must(200, 'GET', `/v1/whoami?source=${source}`)),
      );
      for (const service of ['mail', 'ldap']) {
        const told = (said as { services: { service: string; domu: string }[] }[]).map(
          ({ services }) => services.find((row) => row.service === service)?.domu,
        );
        expect(told, `what ${client} is told of ${service}`).toEqual(await operator.reached(client, service));
      }
    }
  }

  async function expectReachedBy(
    by: Readonly<Partial<Record<(typeof clients)[number], string>>>,
  ): Promise<void> {
    for (const [client, domu] of Object.entries(by)) await operator.expectReached(client, 'mail', domu);
    await expectTheTruth();
  }

  it('exchanges the roles with each confirm, moves no connection by it, and whoami is right all the time', async () => {
    const { ipv4, ipv6 } = CLIENTS.neighbour;
    await expectReachedBy({ customer: 'mail-a', tester: 'mail-b', beta: 'mail-b', neighbour: 'mail-a' });

    for (const source of [ipv4, ipv6])
      await operator.must(201, 'PUT', `/v1/services/mail/testers/${source}`, { expiresIn: '1h' });
    await expectReachedBy({ neighbour: 'mail-b', customer: 'mail-a' });

    const first = await operator.switch('mail');
    await expectReachedBy({ customer: 'mail-b', tester: 'mail-b', neighbour: 'mail-b' });
    const [onOld, onNew] = [
      await hold('admin', { host: directed.world.domu('mail-a').ipv4, port: 25 }),
      await hold('customer', { host: 'mail', port: 25 }),
    ];
    expect(await operator.confirm(first)).toMatchObject({ state: 'confirmed' });
    expect(await operator.service('mail')).toMatchObject({
      phase: 'settled',
      live: 'primary',
      testing: 'closed',
      primary: { domu: 'mail-b' },
      secondary: { domu: 'mail-a' },
    });
    // Testing is closed: the secondary is the old version now, and nobody is sent there.
    await expectReachedBy({ customer: 'mail-b', tester: 'mail-b', beta: 'mail-b', neighbour: 'mail-b' });
    for (const one of [onOld, onNew]) await lives(one);

    await operator.testing('mail', 'open');
    await expectReachedBy({ customer: 'mail-b', tester: 'mail-a', beta: 'mail-a', neighbour: 'mail-a' });

    const second = await operator.switch('mail');
    await expectReachedBy({ customer: 'mail-a', tester: 'mail-a', neighbour: 'mail-a' });
    await operator.rollBack(second);
    await expectReachedBy({ customer: 'mail-b', tester: 'mail-a', neighbour: 'mail-a' });
    await operator.confirm(await operator.switch('mail'));
    await expectReachedBy({ customer: 'mail-a', tester: 'mail-a', neighbour: 'mail-a' });
    expect(await operator.roles('mail')).toEqual({ primary: 'mail-a', secondary: 'mail-b' });
    expect(onNew.ended).toBe(null);
    expect(await onNew.next()).toMatchObject({ text: 'mail-b: line' });
  });
});

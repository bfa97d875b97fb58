import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Problem, SwitchView } from '../../src/api/contract.ts';
import { definitionOf } from '../../src/lab/config-file.ts';
import type { LabProcess } from '../../src/lab/process.ts';
import { CLIENTS } from '../../src/lab/topology.ts';
import type { World } from '../../src/lab/world.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Operator } from './support/operator.ts';
import { all, CUSTOMER, host, listen, outwards } from './support/outwards.ts';
import { tellRefusals } from './support/directing.ts';

const LOCK = '/run/xtables.lock';
const REFUSED_WITHIN = 700;

let directed: DirectedWorld;
let operator: Operator;
let world: World;
let holder: LabProcess | null = null;

beforeAll(async () => {
  directed = await directedWorld({ services: 3, config: { top: { iptables: 'legacy' } } });
  operator = new Operator(directed);
  ({ world } = directed);
  await listen(world, ['customer', 'dom0']);
  await tellRefusals(world);
}, 60_000);
afterEach(async () => {
  await release();
  await ready();
  await operator.settleAll();
});
afterAll(() => directed.end());

/** Somebody else's iptables that does not come to its end. */
async function lock(): Promise<void> {
  holder = world.spawn('dom0', ['flock', LOCK, 'sh', '-c', 'echo held; exec cat']);
  await holder.line((line) => line === 'held', 10_000);
}

async function release(): Promise<void> {
  await holder?.stop();
  holder = null;
}

/** The daemon's own iptables waits for the lock. */
const waits = (): Promise<unknown> =>
  expect
    .poll(async () => (await world.exec('dom0', ['fuser', LOCK])).stdout.trim().split(/\s+/).length, {
      timeout: 10_000,
      interval: 50,
    })
    .toBeGreaterThan(2);

const ready = (): Promise<unknown> =>
  expect
    .poll(async () => (await directed.daemon.call('GET', '/readyz')).status, { timeout: 20_000 })
    .toBe(200);

describe('while somebody holds iptables’ lock (flannel#933, amazon-vpc-cni-k8s#2948, kubernetes#139513)', () => {
  it('a switch, its rollback and a hold are done at once: no rule is in their way', async () => {
    await lock();
    const trial = await operator.switch(['mail', 'ldap', 'svc-3'], { hold: '5s' });
    await operator.expectReached('customer', 'mail', 'mail-b');
    await operator.expectReached('customer', 'svc-3', 'svc-3-b');
    await operator.rollBack(trial);
    await operator.expectReached('customer', 'mail', 'mail-a');
    await operator.must(200, 'POST', '/v1/services/mail/hold', { for: '1h' });
    await operator.must(200, 'DELETE', '/v1/services/mail/hold');
    await operator.must(201, 'PUT', '/v1/services/mail/testers/192.0.2.77', { expiresIn: '1h' });
    await operator.must(204, 'DELETE', '/v1/services/mail/testers/192.0.2.77');
    expect(holder?.ended).toBe(false);
  });

  it('a confirm waits, and is done when the lock is free; nobody is moved meanwhile', async () => {
    const trial = await operator.switch('mail');
    await lock();
    let answered = false;
    const confirmed = operator.confirm(trial).then((view) => {
      answered = true;
      return view;
    });
    await waits();
    await operator.expectReached('customer', 'mail', 'mail-b');
    expect(answered).toBe(false);
    await release();
    expect(await confirmed).toMatchObject({ state: 'confirmed' });
    expect(await operator.roles('mail')).toEqual({ primary: 'mail-b', secondary: 'mail-a' });
    await operator.expectReached('customer', 'mail', 'mail-b');
    await operator.confirm(await operator.switch('mail'));
    await operator.testing('mail', 'open');
  });

  it('for too long, a confirm says who is in the way and that it is decided, and goes on by itself', async () => {
    const trial = await operator.switch('mail');
    await lock();
    const refused = await operator.must(503, 'POST', `/v1/switches/${trial.id}/confirm`, {});
    expect((refused as Problem).detail).toMatch(/decided and everybody stays where they are.*xtables lock/);
    await operator.expectReached('customer', 'mail', 'mail-b');
    await release();
    await ready();
    await expect
      .poll(() => operator.roles('mail'), { timeout: 20_000 })
      .toEqual({ primary: 'mail-b', secondary: 'mail-a' });
    expect(await operator.switchById(trial.id)).toMatchObject({ state: 'confirmed' });
    await operator.expectReached('customer', 'mail', 'mail-b');
    await operator.confirm(await operator.switch('mail'));
    await operator.testing('mail', 'open');
  });

  it('for too long, a definition is refused with what to look for, and changes nothing', async () => {
    const before = await operator.service('svc-3');
    await lock();
    const definition = { ...definitionOf(world.service('svc-3')), ports: ['636/tcp'] };
    const refused = (await operator.must(503, 'PUT', '/v1/services/svc-3', definition)) as Problem;
    expect(refused.detail).toMatch(/xtables lock.*nothing was changed/);
    expect(refused.hint).toContain('fuser /run/xtables.lock');
    await release();
    await ready();
    const { generation, ports } = await operator.service('svc-3');
    expect({ generation, ports }).toEqual({ generation: before.generation, ports: before.ports });
    await operator.expectReached('customer', 'svc-3', 'svc-3-a');
  });
});

describe('a quarantine that is defined over the API, in iptables-legacy', () => {
  const gateway = () => host(world.service('mail').gateway);
  const goals = () => [...CUSTOMER, ...gateway()];
  const define = (quarantine: unknown): Promise<unknown> =>
    operator.must(200, 'PUT', '/v1/services/mail', {
      ...definitionOf(world.service('mail')),
      ...(quarantine === undefined ? {} : { quarantine }),
    });
  const legacyText = async (): Promise<string> => {
    const texts = await Promise.all(
      ['iptables', 'ip6tables'].map((tool) => world.must('dom0', [`${tool}-legacy-save`])),
    );
    return texts.join('').replaceAll(/^#.*\n|\[\d+:\d+\]/gm, '');
  };
  const expectOut = async (domu: string, what: 'through' | 'refused', some = goals()): Promise<void> =>
    expect(await outwards(world, domu, some, what === 'refused' ? REFUSED_WITHIN : undefined)).toEqual(
      all(domu, some, what),
    );

  it('shuts the dark DomU in, follows the switch, and leaves no trace when it is taken away', async () => {
    await define(undefined);
    const before = await legacyText();
    await define(true);
    await expectOut('mail-b', 'refused');
    await expectOut('mail-a', 'through');
    const trial: SwitchView = await operator.switch('mail');
    // A datagram's port that was used while the DomU was live belongs to what was open then.
    const tcp = goals().filter(({ port }) => port.endsWith('/tcp'));
    await expectOut('mail-a', 'refused', tcp);
    await expectOut('mail-b', 'through');
    await operator.rollBack(trial);
    await expectOut('mail-b', 'refused', tcp);
    await define(undefined);
    expect(await legacyText()).toBe(before);
    await expectOut('mail-b', 'through');
  });

  it('lets through what is on its list, and nothing else', async () => {
    const { ipv4, ipv6 } = CLIENTS.customer;
    await define([{ to: ipv4, ports: ['2500/tcp'] }, ipv6]);
    const at = (port: string) => CUSTOMER.filter((goal) => goal.port === port);
    const [tcp, udp] = [at('2500/tcp'), at('2500/udp')];
    await expectOut('mail-b', 'through', tcp);
    expect(Object.values(await outwards(world, 'mail-b', udp, REFUSED_WITHIN)).toSorted()).toEqual([
      'refused',
      'through',
    ]);
    await expectOut('mail-b', 'refused', gateway());
    await define(undefined);
  });
});

import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JournalEntry, SwitchView } from '../../src/api/contract.ts';
import type { Held } from '../../src/lab/clients.ts';
import { configText } from '../../src/lab/config-file.ts';
import { CLIENTS } from '../../src/lab/topology.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { kernelText } from './support/kernel-text.ts';
import { Operator } from './support/operator.ts';
import { DIRECTOR } from './support/scripts.ts';

/** Long enough for a slow machine to see that it has not come yet. */
const SOON = '4s';

let directed: DirectedWorld;
let operator: Operator;
const held: Held[] = [];

beforeAll(async () => {
  directed = await directedWorld();
  operator = new Operator(directed);
});
afterEach(async () => {
  await Promise.all(held.splice(0).map((one) => one.stop()));
  if (directed.daemon.process.ended) await directed.daemon.start();
  await operator.settleAll();
});
afterAll(() => directed.end());

async function hold(client: string, host: string, port: number): Promise<Held> {
  const one = directed.world.hold(client, { host, port, every: 50 });
  held.push(one);
  await one.next(({ text }) => text !== '', 10_000);
  return one;
}

/** The service's DomUs exchange their roles, and testing is open again. */
async function upgrade(service: string): Promise<void> {
  await operator.confirm(await operator.switch(service));
  await operator.testing(service, 'open');
}

/**
 * The service's next connections go to `before` until the deadline and to `after` from then on, in both families; the
 * kernel counts in seconds, so it may be a little late, but never early.
 */
async function expectTurn(service: string, deadline: number, before: string, after: string): Promise<void> {
  for (;;) {
    const reached = await operator.reached('customer', service);
    if (Date.now() >= deadline) break;
    expect(reached, 'before the deadline').toEqual([before, before]);
    await sleep(50);
  }
  await expect
    .poll(() => operator.reached('customer', service), { timeout: 10_000, interval: 50 })
    .toEqual([after, after]);
}

const deadlineOf = ({ confirmBy }: SwitchView): number => Date.parse(confirmBy ?? '');

async function lastOf(kind: string): Promise<JournalEntry | undefined> {
  return (await operator.journal()).find((entry) => entry.kind === kind);
}

describe('a trial that nobody confirms', () => {
  it('goes back at its deadline, with all of its services, and the journal has it', async () => {
    const { primary, secondary } = await operator.roles('mail');
    const trial = await operator.switch(['mail', 'ldap'], { confirmWithin: SOON });
    const young = await hold('customer', 'mail', 25);
    await expectTurn('mail', deadlineOf(trial), secondary, primary);
    await operator.expectReached('customer', 'ldap', 'ldap-a');
    await expect
      .poll(async () => (await operator.switchById(trial.id)).state, { timeout: 10_000 })
      .toBe('expired');
    expect(await lastOf('expire')).toMatchObject({
      services: ['mail', 'ldap'],
      by: 'director',
      details: { switch: trial.id },
    });
    expect(await operator.service('mail')).toMatchObject({ phase: 'settled', live: 'primary', switch: null });
    await operator.must(409, 'POST', `/v1/switches/${trial.id}/confirm`, {});
    expect(young.ended).toBe(null);
    expect(await young.next()).toMatchObject({ text: `${secondary}: line` });
  });

  it('goes back in the kernel when the director was killed, whichever DomU is primary by now', async () => {
    await upgrade('mail');
    expect(await operator.roles('mail')).toEqual({ primary: 'mail-b', secondary: 'mail-a' });
    expect(await operator.roles('ldap')).toEqual({ primary: 'ldap-a', secondary: 'ldap-b' });
    const trial = await operator.switch(['mail', 'ldap'], { confirmWithin: SOON });
    await directed.daemon.kill();
    await Promise.all([
      expectTurn('mail', deadlineOf(trial), 'mail-a', 'mail-b'),
      expectTurn('ldap', deadlineOf(trial), 'ldap-b', 'ldap-a'),
    ]);
    // The DomU that is dark again is closed to everybody, but for testers at the service's address.
    await expectDark('mail-a');
    await operator.expectReached('tester', 'mail', 'mail-a');

    await directed.daemon.start();
    expect(await operator.switchById(trial.id)).toMatchObject({ state: 'expired', endedAt: trial.confirmBy });
    expect(await lastOf('expire')).toMatchObject({ details: { switch: trial.id, recovered: true } });
    for (const service of ['mail', 'ldap'])
      expect(await operator.service(service)).toMatchObject({ phase: 'settled', live: 'primary' });
    await operator.expectReached('customer', 'mail', 'mail-b');
    await operator.expectReached('customer', 'ldap', 'ldap-a');
  });

  it('may last until somebody ends it', async () => {
    const trial = await operator.switch('mail', { confirmWithin: 'never' });
    expect(trial.confirmBy).toBe(null);
    await directed.daemon.kill();
    await directed.daemon.start();
    expect(await operator.service('mail')).toMatchObject({ phase: 'trial', switch: { confirmBy: null } });
    expect(await operator.confirm(trial)).toMatchObject({ state: 'confirmed' });
  });
});

async function expectDark(domu: string): Promise<void> {
  const { ipv4, ipv6 } = directed.world.domu(domu);
  for (const host of [ipv4, ipv6]) {
    const { error } = await directed.world.ask('customer', { host, port: 25, timeout: 1000 });
    expect(error, `customer straight to ${host}`).not.toBe(null);
  }
}

describe('what has a time, when the director was killed before it is up', () => {
  it("a tester's lease and a hold end in the kernel, and the journal has it after the next start", async () => {
    const { primary, secondary } = await operator.roles('mail');
    const { ipv4, ipv6 } = CLIENTS.customer;
    await operator.testing('mail', 'open');
    for (const source of [ipv4, ipv6])
      await operator.must(201, 'PUT', `/v1/services/mail/testers/${source}`, { expiresIn: SOON });
    await operator.must(200, 'POST', '/v1/services/ldap/hold', { for: SOON });
    const until = Date.now() + 4000;
    const { testers } = await operator.service('mail');
    const leased = testers.filter(({ kind }) => kind === 'leased');
    expect(leased.map(({ source }) => source).sort()).toEqual([ipv4, ipv6].sort());
    const first = Math.min(...leased.map(({ expiresAt }) => Date.parse(expiresAt ?? '')));
    await directed.daemon.kill();

    const heldNow = await operator.reached('neighbour', 'ldap', 500);
    if (Date.now() < until - 1000) expect(heldNow).toEqual(['TIMEOUT', 'TIMEOUT']);
    await expectTurn('mail', first, secondary, primary);
    await expect
      .poll(() => operator.reached('neighbour', 'ldap', 2000), { timeout: 10_000 })
      .toEqual(['ldap-a', 'ldap-a']);
    await directed.daemon.start();
    await expect.poll(() => lastOf('release'), { timeout: 10_000 }).toMatchObject({ services: ['ldap'] });
    expect((await operator.journal()).filter(({ kind }) => kind === 'tester-expire')).toHaveLength(2);
    expect((await operator.service('mail')).testers.every(({ kind }) => kind === 'permanent')).toBe(true);
    expect(await operator.service('ldap')).toMatchObject({ held: false, heldUntil: null });
  });
});

describe('a director that ends in mid-trial', () => {
  it.each(['stopped', 'killed'] as const)(
    'and was %s goes on with the trial: the same deadline, every connection, and it can be confirmed',
    async (how) => {
      const { primary, secondary } = await operator.roles('mail');
      const old = await hold('customer', 'mail', 25);
      const trial = await operator.switch('mail', { confirmWithin: '1h' });
      const young = await hold('customer', 'mail', 25);
      if (how === 'killed') await directed.daemon.kill();
      else expect(await directed.daemon.stop()).toBe(0);
      await operator.expectReached('customer', 'mail', secondary);
      await directed.daemon.start();
      expect((await operator.service('mail')).switch).toMatchObject({
        id: trial.id,
        state: 'trial',
        confirmBy: trial.confirmBy,
      });
      await operator.expectReached('customer', 'mail', secondary);
      expect(await old.next()).toMatchObject({ text: `${primary}: line`, error: null });
      await operator.confirm(trial);
      expect(await operator.roles('mail')).toEqual({ primary: secondary, secondary: primary });
      await operator.expectReached('customer', 'mail', secondary);
      expect(await young.next()).toMatchObject({ text: `${secondary}: line`, error: null });
      expect(old.ended).toBe(null);
    },
  );
});

describe('a director that is killed', () => {
  it('right after it has acknowledged has done what it acknowledged, and knows it', async () => {
    const { primary, secondary } = await operator.roles('mail');
    const trial = await operator.switch('mail');
    await directed.daemon.kill();
    await operator.expectReached('customer', 'mail', secondary);
    await directed.daemon.start();
    expect(await operator.switchById(trial.id)).toMatchObject({ state: 'trial' });
    await operator.rollBack(trial);
    await directed.daemon.kill();
    await operator.expectReached('customer', 'mail', primary);
    await directed.daemon.start();
    expect(await operator.switchById(trial.id)).toMatchObject({ state: 'rolled-back' });
    const next = await operator.switch('mail');
    await operator.confirm(next);
    await directed.daemon.kill();
    await operator.expectReached('customer', 'mail', secondary);
    await directed.daemon.start();
    expect(await operator.switchById(next.id)).toMatchObject({ state: 'confirmed' });
    expect(await operator.service('mail')).toMatchObject({ primary: { domu: secondary }, testing: 'closed' });
  });

  it.each([0, 2, 5, 10, 20])(
    'within %d ms of being asked has done all of it or nothing, and the journal says which',
    async (wait) => {
      const before = { mail: await operator.roles('mail'), ldap: await operator.roles('ldap') };
      const asked = directed.daemon
        .call('POST', '/v1/switches', { services: ['mail', 'ldap'], to: 'secondary' })
        .catch(() => null);
      await sleep(wait);
      await directed.daemon.kill();
      const acknowledged = (await asked)?.status === 201;
      const meanwhile = {
        mail: await operator.reached('customer', 'mail'),
        ldap: await operator.reached('customer', 'ldap'),
      };
      await directed.daemon.start();
      const { phase } = await operator.service('mail');
      if (acknowledged) expect(phase).toBe('trial');
      for (const service of ['mail', 'ldap'] as const) {
        const domu = before[service][phase === 'trial' ? 'secondary' : 'primary'];
        expect((await operator.service(service)).phase).toBe(phase);
        await operator.expectReached('customer', service, domu);
        // The next start moved nobody: it was so in the kernel already.
        expect(meanwhile[service]).toEqual([domu, domu]);
      }
      const [newest] = (await operator.must(200, 'GET', '/v1/switches?limit=1')) as SwitchView[];
      const entry = (await operator.journal()).find(({ details }) => details['switch'] === newest?.id);
      if (phase === 'trial') {
        expect(newest?.state).toBe('trial');
        expect(entry?.kind).toBe('switch');
      } else if (newest?.state === 'failed') expect(entry?.kind).toBe('fail');
    },
  );
});

describe('what a director that was killed has left to others', () => {
  it('is dropped as soon as the next director is there, who knows better', async () => {
    await operator.switch('mail', { confirmWithin: '1h' });
    let left: number[] = [];
    await expect
      .poll(() => (left = perlsOf(directed.daemon.process.pid)).length, { timeout: 10_000 })
      .toBeGreaterThan(0);
    await directed.daemon.kill();
    expect(left.filter(isThere).length).toBeGreaterThan(0);
    await directed.daemon.start();
    await expect.poll(() => left.filter(isThere), { timeout: 10_000 }).toEqual([]);
  });
});

/** Its children that are written in perl. */
function perlsOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .map(Number)
    .filter(isPerl);
}

/** Others, such as an iptables, are gone the next moment. */
function isPerl(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'perl\n';
  } catch {
    return false;
  }
}

/** One that nobody has waited for is dead all the same. */
function isThere(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a second director on the host', () => {
  it('is refused, says why, and has not touched the kernel', async () => {
    const directory = `${directed.directory}/second`;
    await mkdir(`${directory}/state`, { recursive: true });
    // Nothing of the first one's: had it started, it would have changed much.
    const config = configText(directed.world.services.slice(0, 1), {
      directory,
      service: { testers: [], admins: [] },
    });
    await writeFile(`${directory}/director.yaml`, config);
    const before = await kernelText(directed.world);
    const { code, stderr } = await directed.world.exec(
      'dom0',
      [...DIRECTOR, 'serve', '--config', `${directory}/director.yaml`],
      { timeout: 20_000 },
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/another director runs in this network namespace already/);
    expect(await kernelText(directed.world)).toBe(before);
    expect(await readFile(directed.daemon.logFile, 'utf8')).not.toMatch(/put back/);
    expect(directed.daemon.process.ended).toBe(false);
  });
});

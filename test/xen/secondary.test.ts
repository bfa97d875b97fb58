import { describe, expect, it } from 'vitest';
import { BRIEF, expectUnanswered, expectUnharmed } from './support/directed.ts';
import type { Directed } from './support/directed.ts';
import { onFreshDom0 } from './support/scenario.ts';
import { createGuest } from './support/guests.ts';
import { LDAP, MAIL } from './support/topology.ts';

const [, mailB] = MAIL.domus;
const [, ldapB] = LDAP.domus;

/** A switch to a DomU that does not answer is refused, and says of whom and why. */
async function expectRefused(dom0: Directed, service: string, domu: string): Promise<void> {
  const { code, stderr } = await dom0.director('switch', service, '--to', 'secondary');
  expect(stderr).toContain(domu);
  expect(stderr).toContain('healthy');
  expect(code).toBe(1);
}

/** As a secondary is: on its bridge, answering testers at the service's address, and nobody else anywhere. */
async function expectDark(dom0: Directed, service: typeof MAIL): Promise<void> {
  const [live, dark] = service.domus;
  const [byTester, byCustomer, ...direct] = await Promise.all([
    dom0.ask('tester', service.ipv4, BRIEF),
    dom0.ask('customer', service.ipv4, BRIEF),
    ...[dark.ipv4, dark.ipv6].map((address) => dom0.ask('customer', address, BRIEF)),
  ]);
  expect(byTester).toMatchObject({ domu: dark.name });
  expect(byCustomer).toMatchObject({ domu: live.name });
  for (const answer of direct) expect(answer).not.toHaveProperty('domu');
}

describe('a secondary', () => {
  it(
    'that is destroyed in its trial is left by one call, and comes back dark under another number',
    onFreshDom0(async ({ dom0 }) => {
      const customers = await dom0.load('customer', MAIL.ipv4);
      const before = await dom0.domid(mailB.name);
      await dom0.order('switch', 'mail', '--to', 'secondary');
      await customers.reach(mailB.name);
      expectUnharmed(await customers.stop(), MAIL.domus[0].name, mailB.name);
      await dom0.must(['xl', 'destroy', mailB.name]);
      await dom0.health('mail', mailB.name, 'unhealthy');
      await dom0.order('rollback', 'mail');
      const returned = await dom0.load('customer', MAIL.ipv4);
      await expectRefused(dom0, 'mail', mailB.name);
      const peeper = await dom0.load('customer', mailB.ipv4);
      await createGuest(dom0, mailB.name);
      await dom0.health('mail', mailB.name, 'healthy');
      expect(await dom0.domid(mailB.name)).toBeGreaterThan(before);
      await expectDark(dom0, MAIL);
      expectUnanswered(await peeper.stop());
      expectUnharmed(await returned.stop(), MAIL.domus[0].name);
    }),
  );

  it(
    'that has crashed is not switched to, and nobody but its testers hears of it',
    onFreshDom0(async ({ dom0 }) => {
      const customers = await dom0.load('customer', MAIL.ipv4);
      await dom0.must(['xl', 'sysrq', mailB.name, 'c']);
      await dom0.until('it has crashed', async () => (await dom0.domainState(mailB.name)).includes('c'));
      await dom0.health('mail', mailB.name, 'unhealthy');
      await expectRefused(dom0, 'mail', mailB.name);
      expectUnharmed(await customers.stop(), MAIL.domus[0].name);
    }),
  );

  it(
    'that is paused is not switched to until it goes on',
    onFreshDom0(async ({ dom0 }) => {
      await dom0.must(['xl', 'pause', mailB.name]);
      await dom0.health('mail', mailB.name, 'unhealthy');
      await expectRefused(dom0, 'mail', mailB.name);
      await dom0.must(['xl', 'unpause', mailB.name]);
      await dom0.health('mail', mailB.name, 'healthy');
      await dom0.order('switch', 'mail', '--to', 'secondary');
      expect(await dom0.ask('customer', MAIL.ipv6, BRIEF)).toMatchObject({ domu: mailB.name });
    }),
  );

  it(
    'that reboots under another number, and with another vif, is dark at every moment of it',
    onFreshDom0(async ({ dom0 }) => {
      const before = { domid: await dom0.domid(ldapB.name), ports: await dom0.portsOf(LDAP.bridge) };
      const customers = await dom0.load('customer', LDAP.ipv4);
      const peeper = await dom0.load('customer', ldapB.ipv4);
      await dom0.must(['xl', 'reboot', ldapB.name]);
      await dom0.until('it has another number', async () => {
        const domid = await dom0.domid(ldapB.name).catch(() => before.domid);
        return domid !== before.domid;
      });
      await dom0.health('ldap', ldapB.name, 'healthy');
      await expectDark(dom0, LDAP);
      expectUnanswered(await peeper.stop());
      expect(await dom0.portsOf(LDAP.bridge)).not.toEqual(before.ports);
      expectUnharmed(await customers.stop(), LDAP.domus[0].name);
    }),
  );
});

import { describe, it } from 'vitest';
import { expectUnharmed } from './support/directed.ts';
import { onFreshDom0 } from './support/scenario.ts';
import { LDAP, MAIL } from './support/topology.ts';

describe('two services of real DomUs', () => {
  it(
    'are switched and rolled back while clients connect, and none of them fails',
    onFreshDom0(async ({ dom0 }) => {
      const loads = await Promise.all([
        dom0.load('customer', MAIL.ipv4),
        dom0.load('customer', LDAP.ipv6),
        dom0.load('tester', MAIL.ipv4),
      ]);
      const goOn = (): Promise<unknown> => Promise.all(loads.map((load) => load.goesOn()));
      await goOn();
      await dom0.order('switch', 'mail', 'ldap', '--to', 'secondary', '--reason', 'mail 2.0');
      await goOn();
      await dom0.order('rollback', 'mail');
      await goOn();
      const [customers, directory, testers] = await Promise.all(loads.map((load) => load.stop()));
      expectUnharmed(customers!, 'mail-a', 'mail-b', 'mail-a');
      expectUnharmed(directory!, 'ldap-a', 'ldap-b', 'ldap-a');
      expectUnharmed(testers!, 'mail-b');
    }),
  );
});

import { describe, expect, it } from 'vitest';
import { BRIEF, expectUnanswered } from './support/directed.ts';
import type { Directed, LoadSeen } from './support/directed.ts';
import { onFreshDom0 } from './support/scenario.ts';
import { booted, createMissing } from './support/guests.ts';
import { guestConfig, MAIL } from './support/topology.ts';

const PEEPED = '/var/log/rig-peeper.log';
/** Somebody from outside who tries a dark DomU from the moment on at which there is an uplink. */
const PEEPER = `[Unit]
After=rig-network.service
Requires=rig-network.service
Before=dom0-director.service xendomains.service

[Service]
ExecStart=ip netns exec customer rig-load ${MAIL.domus[0].ipv4} ${BRIEF}
StandardOutput=append:${PEEPED}

[Install]
WantedBy=multi-user.target
`;

/** The rules that direct and what is in the sets that they read; of the two banks that is the active one. */
async function directing(dom0: Directed): Promise<string[]> {
  const rules = await Promise.all(['iptables-save', 'ip6tables-save'].map((save) => dom0.must([save])));
  const sets = await dom0.must(['ipset', 'save']);
  const [, active = ''] = /^add dir-trial dir-\w+-([xy])$/m.exec(sets) ?? [];
  expect(active).not.toBe('');
  const idle = active === 'x' ? 'y' : 'x';
  return [...rules, sets]
    .flatMap((text) => text.split('\n'))
    .filter(
      (line) =>
        /^(-A .*DIR-|add dir-)/.test(line) && !new RegExp(`^add (dir-trial-next|\\S+-${idle}) `).test(line),
    )
    .map((line) =>
      line.replace(/ (timeout|packets|bytes) \d+/g, '').replace(/(dir-(dark|trial)6?)-[xy]\b/g, '$1'),
    )
    .toSorted();
}

describe("the Dom0's own reboot", () => {
  it(
    'leaves roles, a trial, testers and rules as they were, and a dark DomU dark at every moment',
    onFreshDom0(async ({ dom0, reboots }) => {
      await dom0.order('switch', 'mail', '--to', 'secondary');
      await dom0.order('confirm', 'mail');
      await dom0.order('testers', 'ldap', 'add', '198.51.100.20', '--for', '8h');
      const { id } = await dom0.switch(['ldap'], { confirmWithin: '6h' });
      const before = { rules: await directing(dom0), testers: (await dom0.service('ldap')).testers };
      await dom0.write('/etc/systemd/system/rig-peeper.service', PEEPER);
      await dom0.must(['systemctl', 'enable', 'rig-peeper']);
      await dom0.must(['mkdir', '-p', '/etc/xen/auto']);
      for (const { name } of MAIL.domus)
        await dom0.must(['ln', '-s', guestConfig(name), `/etc/xen/auto/${name}`]);
      await dom0.must(['sync']);
      // Who is told to do so may be gone before it has answered; where it did not, nothing reboots.
      await dom0.must(['systemctl', 'reboot']).catch(() => undefined);

      const again = await reboots();
      await booted(again);
      await createMissing(
        again,
        MAIL.domus.map(({ name }) => name),
      );
      await again.health('mail', 'mail-a', 'healthy');
      await again.health('mail', 'mail-b', 'healthy');
      expect(await again.ask('customer', MAIL.ipv4, BRIEF)).toMatchObject({ domu: 'mail-b' });
      expect((await again.service('mail')).primary.domu).toBe('mail-b');
      expect(await again.service('ldap')).toMatchObject({
        ...{ phase: 'trial', switch: { id, state: 'trial' }, testers: before.testers },
      });
      expect(await directing(again)).toEqual(before.rules);
      const seen = (await again.read(PEEPED)).trim().split('\n').at(-1) ?? '';
      expectUnanswered(JSON.parse(seen) as LoadSeen);
      const at = async (unit: string, what: string): Promise<number> =>
        Number(await again.must(['systemctl', 'show', '--value', `--property=${what}`, unit]));
      const directs = await at('dom0-director', 'ActiveEnterTimestampMonotonic');
      expect(directs).toBeGreaterThan(0);
      expect(directs).toBeLessThan(await at('xendomains', 'InactiveExitTimestampMonotonic'));
    }),
  );
});

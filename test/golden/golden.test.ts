import { describe, expect, it } from 'vitest';
import type { DirectorState } from '../../src/model/state.ts';
import { plan } from '../../src/plan/plan.ts';
import { render } from '../../src/render/render.ts';
import { director, frames, mail, numbered, stateFor } from '../support.ts';
import { kernelText } from './kernel-text.ts';

const at = Date.UTC(2030, 0, 1, 3, 0, 0);
const trial = { switchId: 'sw-1', confirmBy: at };
const ldap = mail(
  {
    addresses: ['192.0.2.25', '192.0.2.38'],
    ports: ['389/tcp', '636/tcp'],
    announce: false,
    bridge: { name: 'br-ldap', gateway: ['10.60.0.1/24'] },
    domus: [
      { name: 'ldap-1', addresses: ['10.60.0.2'], vifs: ['vif3.0'] },
      { name: 'ldap-2', addresses: ['10.60.0.3'], vifs: ['vif4.0'] },
    ],
    testers: [],
    admins: [],
  },
  'ldap',
);

/** A reviewer sees in these files what a change does to the kernel. `npx vitest run test/golden -u` writes them anew. */
const cases: Record<string, DirectorState> = {
  settled: director(stateFor(mail())),
  trial: director(stateFor(mail(), { trial })),
  'trial of what was first configured as secondary': director(stateFor(mail(), { primary: 'b', trial })),
  'confirmed, testing closed': director(stateFor(mail(), { primary: 'b', testing: 'closed' })),
  'pinned during a confirm': director(stateFor(mail(), { trial, pinned: true })),
  'held, with a leased tester': director(
    stateFor(mail(), {
      heldUntil: at,
      testers: [
        {
          source: { family: 6, address: '2001:db8:7::', prefix: 48 },
          kind: 'leased',
          expiresAt: at,
          note: null,
        },
      ],
    }),
  ),
  'quarantined while dark, with a list of what is allowed': director(
    stateFor(
      mail({
        quarantine: [
          '10.0.0.53',
          '2001:db8::53',
          { to: '10.9.0.0/24', ports: ['22/tcp', '8000-8009/tcp', '53/udp'] },
          { to: '2001:db8:9::/48', ports: ['22/tcp'] },
        ],
      }),
    ),
  ),
  'two services on one address, IPv4 alone': director(
    stateFor(
      mail({
        addresses: ['192.0.2.25'],
        ports: ['25/tcp'],
        bridge: { name: 'br-mail', gateway: ['10.50.0.1/24'] },
        domus: [
          { name: 'mail-a', addresses: ['10.50.0.2'] },
          { name: 'mail-b', addresses: ['10.50.0.3'] },
        ],
        testers: [],
      }),
    ),
    stateFor(ldap),
  ),
  'so many services that addresses are found in a tree': director(
    ...Array.from({ length: 12 }, (_, n) => stateFor(numbered(n + 1))),
  ),
};

describe('the whole text that the kernel is given', () => {
  for (const [name, state] of Object.entries(cases)) {
    it(name, async () => {
      const file = `./expected/${name.replaceAll(/[^a-z0-9]+/gi, '-')}.txt`;
      await expect(`${kernelText(render(frames(), plan(state)))}\n`).toMatchFileSnapshot(file);
    });
  }
});

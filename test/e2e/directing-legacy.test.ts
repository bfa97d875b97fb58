import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { World } from '../../src/lab/world.ts';
import { MAIL, aside, done, serveAside, tellRefusals, variedServices } from './support/directing.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { expected, reachOf } from './support/reach.ts';

const STRANGERS = ['customer', 'neighbour', 'ldap-a'];
const TESTERS = ['tester', 'beta'];
const STATES = [
  { state: 'settled', commands: [], live: 'mail-a', dark: 'mail-b', tested: 'mail-b', testing: true },
  {
    state: 'on trial',
    commands: ['switch', 'mail', '--to', 'secondary'],
    live: 'mail-b',
    dark: 'mail-a',
    tested: 'mail-b',
    testing: true,
  },
  {
    state: 'confirmed',
    commands: ['confirm', 'mail'],
    live: 'mail-b',
    dark: 'mail-a',
    tested: 'mail-b',
    testing: false,
  },
];

describe('with iptables-legacy', () => {
  let directed: DirectedWorld;
  let world: World;
  beforeAll(async () => {
    directed = await directedWorld({ services: variedServices(), config: { top: { iptables: 'legacy' } } });
    ({ world } = directed);
    await serveAside(world, ['mail-a', 'mail-b']);
    await tellRefusals(world);
  }, 60_000);
  afterAll(() => directed.end());

  describe.each(STATES)('a service that is $state', ({ commands, live, dark, tested, testing }) => {
    beforeAll(async () => {
      if (commands.length > 0) await done(directed, ...commands);
    });

    it('has everybody on its live DomU, and testers where they belong', async () => {
      expect(await reachOf(world, [...STRANGERS, ...TESTERS], MAIL)).toEqual({
        ...expected(world, STRANGERS, MAIL, live),
        ...expected(world, TESTERS, MAIL, tested),
      });
    });

    it('answers the DomU that is not live, and the Dom0', async () => {
      const { gateway, ipv4, ipv6 } = world.service('mail');
      expect(await reachOf(world, [dark, 'dom0'], MAIL)).toEqual({
        ...expected(world, [dark], MAIL, live, () => gateway),
        ...expected(world, ['dom0'], MAIL, live, () => ({ ipv4, ipv6 })),
      });
    });

    it('keeps its dark DomU dark, and leaves its live one alone', async () => {
      const clients = [...STRANGERS, ...TESTERS, 'admin'];
      const strangers = testing ? STRANGERS : [...STRANGERS, ...TESTERS];
      expect(await reachOf(world, clients, [...aside(dark), ...aside(live)])).toEqual({
        ...expected(world, clients, aside(live), live),
        ...expected(world, clients, aside(dark), dark),
        ...expected(world, strangers, aside(dark), null),
      });
    });
  });

  it('what directs is in the legacy tables, and nothing is in nf_tables', async () => {
    for (const tool of ['iptables', 'ip6tables']) {
      expect(await world.must('dom0', [`${tool}-legacy-save`])).toContain('-A DIR-mail -g DIR-mail.b');
    }
    expect(await world.must('dom0', ['nft', 'list', 'ruleset'])).not.toContain('DIR-');
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { World } from '../../src/lab/world.ts';
import { MAIL, aside, done, serveAside, tellRefusals, variedServices } from './support/directing.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { expected, reachOf } from './support/reach.ts';

const SOURCES = [
  { what: 'addresses', sources: ['198.51.100.20', '2001:db8:100::20'] },
  { what: 'networks', sources: ['198.51.100.0/24', '2001:db8:100::/64'] },
];

describe('testers who are enrolled while the director runs (by networks, matched before the DNAT: kubernetes#122296)', () => {
  let directed: DirectedWorld;
  let world: World;
  beforeAll(async () => {
    directed = await directedWorld({ services: variedServices() });
    ({ world } = directed);
    await serveAside(world, ['mail-b']);
    await tellRefusals(world);
  }, 60_000);
  afterAll(() => directed.end());

  /** The customer at the service's address, and at the dark DomU's own. */
  async function customerIsOn(domu: string, darkIsOpen: boolean): Promise<void> {
    const dark = aside('mail-b');
    expect(await reachOf(world, ['customer'], [...MAIL, ...dark])).toEqual({
      ...expected(world, ['customer'], MAIL, domu),
      ...expected(world, ['customer'], dark, darkIsOpen ? 'mail-b' : null),
    });
  }

  it.each(SOURCES)('reach the secondary, by $what, until they are removed', async ({ sources }) => {
    for (const source of sources) await done(directed, 'testers', 'mail', 'add', source);
    await customerIsOn('mail-b', true);
    for (const source of sources) await done(directed, 'testers', 'mail', 'remove', source);
    await customerIsOn('mail-a', false);
  });

  it('do not reach it while testing is closed, whether they were permanent or enrolled', async () => {
    const { sources } = SOURCES[0] ?? { sources: [] };
    for (const source of sources) await done(directed, 'testers', 'mail', 'add', source);
    await done(directed, 'testing', 'mail', 'close');
    await customerIsOn('mail-a', false);
    expect(await reachOf(world, ['tester', 'beta'], MAIL)).toEqual(
      expected(world, ['tester', 'beta'], MAIL, 'mail-a'),
    );
    await done(directed, 'testing', 'mail', 'open');
    await customerIsOn('mail-b', true);
    for (const source of sources) await done(directed, 'testers', 'mail', 'remove', source);
  });

  it('are let go at the end of their lease by the kernel, when no director runs any more', async () => {
    const { sources } = SOURCES[1] ?? { sources: [] };
    for (const source of sources) await done(directed, 'testers', 'mail', 'add', source, '--for', '8h');
    await customerIsOn('mail-b', true);
    for (const source of sources) await done(directed, 'testers', 'mail', 'add', source, '--for', '2s');
    await directed.daemon.kill();
    const settled = expected(world, ['customer'], MAIL, 'mail-a');
    await expect
      .poll(() => reachOf(world, ['customer'], MAIL), { timeout: 20_000, interval: 200 })
      .toEqual(settled);
    await customerIsOn('mail-a', false);
    expect(await reachOf(world, ['tester', 'beta'], MAIL)).toEqual(
      expected(world, ['tester', 'beta'], MAIL, 'mail-b'),
    );
    await directed.daemon.start();
    await customerIsOn('mail-a', false);
  });
});

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { World } from '../../src/lab/world.ts';
import {
  MAIL,
  aside,
  directly,
  done,
  serveAside,
  showBridges,
  tellRefusals,
  variedServices,
} from './support/directing.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { FAMILIES, aims, expected, reachOf } from './support/reach.ts';
import type { Reach } from './support/reach.ts';

/** From the uplink: routed and on-link; and from another service's DomU. */
const STRANGERS = ['customer', 'neighbour', 'ldap-a'];
const ADMINS = ['admin'];
/** By address and by network. */
const TESTERS = ['tester', 'beta'];
const OWN = ['mail-a', 'mail-b'];
const OTHERS = ['ldap', 'svc-3'] as const;

interface State {
  readonly state: string;
  enter(directed: DirectedWorld): Promise<unknown>;
  readonly live: string;
  readonly dark: string;
  /** Whom testers reach at the service's address. */
  readonly tested: string;
  readonly testing: 'open' | 'closed';
}

const STATES: readonly State[] = [
  {
    state: 'settled',
    enter: () => Promise.resolve(),
    live: 'mail-a',
    dark: 'mail-b',
    tested: 'mail-b',
    testing: 'open',
  },
  {
    state: 'on trial',
    enter: (directed) => done(directed, 'switch', 'mail', '--to', 'secondary'),
    live: 'mail-b',
    dark: 'mail-a',
    tested: 'mail-b',
    testing: 'open',
  },
  {
    state: 'confirmed, roles exchanged',
    enter: (directed) => done(directed, 'confirm', 'mail'),
    live: 'mail-b',
    dark: 'mail-a',
    tested: 'mail-b',
    testing: 'closed',
  },
  {
    state: 'confirmed, and testing opened again',
    enter: (directed) => done(directed, 'testing', 'mail', 'open'),
    live: 'mail-b',
    dark: 'mail-a',
    tested: 'mail-a',
    testing: 'open',
  },
];

let directed: DirectedWorld;
let world: World;

beforeAll(async () => {
  directed = await directedWorld({ services: variedServices() });
  ({ world } = directed);
  await serveAside(world, [...OWN, 'svc-3-a', 'svc-3-b']);
  await tellRefusals(world);
  await provokeRedirects();
}, 60_000);
afterAll(() => directed.end());

/** A Dom0 that tells guests of shorter ways, and guests that take them: what a Linux host does by default. */
async function provokeRedirects(): Promise<void> {
  await world.must('dom0', ['sysctl', '-qw', 'net.ipv4.conf.all.send_redirects=1']);
  for (const domu of OWN) {
    const accept = ['4.conf.all', '4.conf.eth0', '6.conf.all', '6.conf.eth0'];
    await world.must(domu, ['sysctl', '-qw', ...accept.map((key) => `net.ipv${key}.accept_redirects=1`)]);
  }
}

describe.each(STATES)('a service that is $state', (state) => {
  beforeAll(() => state.enter(directed));

  describe.each([
    { bridges: 'bridges that iptables does not see', seen: false },
    { bridges: 'bridges that iptables sees', seen: true },
  ])('with $bridges', ({ seen }) => {
    beforeAll(() => showBridges(world, seen));

    it('has everybody on its live DomU, on every port, with their own address', async () => {
      const clients = [...STRANGERS, ...ADMINS];
      expect(await reachOf(world, clients, MAIL)).toEqual(expected(world, clients, MAIL, state.live));
    });

    it('has the Dom0 itself on its live DomU, as the service address', async () => {
      const vip = (): { ipv4: string; ipv6: string } => world.service('mail');
      expect(await reachOf(world, ['dom0'], MAIL)).toEqual(expected(world, ['dom0'], MAIL, state.live, vip));
    });

    it(`has its testers on ${state.tested}, with their own address`, async () => {
      expect(await reachOf(world, TESTERS, MAIL)).toEqual(expected(world, TESTERS, MAIL, state.tested));
    });

    it('answers the DomU that is not live, with the gateway as source', () =>
      reachesByHairpin(state.dark, state.live));

    it('answers its live DomU, which reaches itself, with the gateway as source (incus#1175)', () =>
      reachesByHairpin(state.live, state.live));

    it('leaves other services as they are, on its own address and elsewhere', async () => {
      const clients = ['customer', 'neighbour', ...TESTERS];
      for (const service of OTHERS) {
        const ports = aims(service, ['389/tcp', '389/udp', '81/tcp']);
        expect(await reachOf(world, clients, ports)).toEqual({
          ...expected(world, clients, ports, `${service}-a`),
          ...expected(world, TESTERS, ports, `${service}-b`),
        });
      }
    });

    it('keeps its dark DomU dark on every port, but for administrators, testers and the Dom0', async () => {
      const ports = directly(state.dark);
      const clients = [...STRANGERS, ...ADMINS, ...TESTERS];
      const strangers = state.testing === 'open' ? STRANGERS : [...STRANGERS, ...TESTERS];
      expect(await reachOf(world, [...clients, 'dom0'], ports)).toEqual({
        ...expected(world, clients, ports, state.dark),
        ...expected(world, strangers, ports, null),
        ...fromDom0(state.dark),
      });
    });

    it('leaves its live DomU to whoever connects to it directly', async () => {
      const ports = directly(state.live);
      const clients = [...STRANGERS, ...ADMINS, ...TESTERS];
      expect(await reachOf(world, [...clients, 'dom0'], ports)).toEqual({
        ...expected(world, clients, ports, state.live),
        ...fromDom0(state.live),
      });
    });

    it('lets its two DomUs talk to each other', async () => {
      for (const [from, to] of [OWN, [...OWN].reverse()] as [string, string][]) {
        expect(await reachOf(world, [from], directly(to))).toEqual(expected(world, [from], directly(to), to));
      }
    });
  });

  it('answers its own DomUs as often as they ask, whatever redirects they are told', async () => {
    await showBridges(world, false);
    const others = OWN.flatMap((client) => FAMILIES.map((family) => ({ client, family })));
    const answers = others.map(async ({ client, family }) => {
      const domus = new Set<string | null>();
      for (let i = 0; i < 100; i++)
        domus.add((await world.ask(client, { host: 'mail', port: 25, family })).domu);
      return [...domus];
    });
    expect(await Promise.all(answers)).toEqual(others.map(() => [state.live]));
  });

  it('does not direct what is none of its ports', async () => {
    const ports = aims('mail', ['2500/tcp', '2500/udp', '8080/tcp', '514/tcp', '25/udp']);
    const clients = ['customer', 'tester', 'mail-b', 'dom0'];
    expect(await reachOf(world, clients, ports)).toEqual(expected(world, clients, ports, null));
  });
});

async function reachesByHairpin(client: string, domu: string): Promise<void> {
  const gateway = (): { ipv4: string; ipv6: string } => world.service('mail').gateway;
  expect(await reachOf(world, [client], MAIL)).toEqual(expected(world, [client], MAIL, domu, gateway));
}

function fromDom0(domu: string): Reach {
  return expected(world, ['dom0'], directly(domu), domu, () => world.service('mail').gateway);
}

describe('a DomU’s port that lost its hairpin mode', () => {
  const LIVE = 'mail-b';
  const turnOff = (): Promise<unknown> =>
    world.must('dom0', ['bridge', 'link', 'set', 'dev', world.domu(LIVE).vif, 'hairpin', 'off']);
  const reachesItself = (): Promise<void> =>
    vi.waitFor(() => reachesByHairpin(LIVE, LIVE), { timeout: 20_000, interval: 200 });

  it('does without it where iptables does not see bridges, and gets it back once iptables does', async () => {
    await showBridges(world, false);
    await turnOff();
    await reachesByHairpin(LIVE, LIVE);
    expect(JSON.parse(await done(directed, 'plan', '--json'))).toMatchObject({ changes: [] });
    await showBridges(world, true);
    await reachesItself();
  });

  it('gets it back where iptables sees bridges', async () => {
    await showBridges(world, true);
    await turnOff();
    await reachesItself();
  });
});

describe('connections that are open when roles change', () => {
  it('go on where they are: TCP, by the service and directly; UDP by the service moves', async () => {
    const { ipv4, ipv6 } = world.domu('svc-3-a');
    const every = 20;
    const tcp = FAMILIES.map((family) => world.hold('customer', { host: 'svc-3', port: 389, family, every }));
    const udp = FAMILIES.map((family) =>
      world.hold('customer', { host: 'svc-3', port: 389, protocol: 'udp', family, every }),
    );
    const directOnes = [ipv4, ipv6].map((host) => world.hold('customer', { host, port: 2500, every }));
    const staying = [...tcp, ...directOnes];
    const talks =
      (domu: string) =>
      ({ text }: { text: string }) =>
        text.startsWith(domu);
    await Promise.all([...staying, ...udp].map((held) => held.next(talks('svc-3-a'))));

    await done(directed, 'switch', 'svc-3', '--to', 'secondary');
    await Promise.all(udp.map((held) => held.next(talks('svc-3-b'))));
    const strangers = ['customer', 'neighbour'];
    expect(await reachOf(world, strangers, aside('svc-3-a'))).toEqual(
      expected(world, strangers, aside('svc-3-a'), null),
    );
    for (const after of ['trial', 'confirmed']) {
      if (after === 'confirmed') await done(directed, 'confirm', 'svc-3');
      // What was said on the way has been heard by the third answer.
      for (let i = 0; i < 3; i++) await Promise.all(staying.map((held) => held.next(talks('svc-3-a'))));
      expect(staying.map(({ ended }) => ended)).toEqual(staying.map(() => null));
    }
    await Promise.all([...staying, ...udp].map((held) => held.stop()));
  });
});

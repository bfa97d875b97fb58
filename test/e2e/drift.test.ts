import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunningLoad } from '../../src/lab/clients.ts';
import type { World } from '../../src/lab/world.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Drifting, both, hostsOwnRules, ip, ipset, restoreBoth, wholeKernel } from './support/drift.ts';
import type { Drift } from './support/drift.ts';
import { furnish } from './support/foreign.ts';
import { FAMILIES } from './support/reach.ts';
import { dumpsOf, foreignPart, settledDumpsOf } from './support/traces.ts';
import type { Dumps } from './support/traces.ts';

const TABLES = ['raw', 'mangle', 'nat', 'filter'] as const;
/** Those with rules of ours while nothing is held. */
const OUR_TABLES = ['nat', 'filter'] as const;
const OURS = {
  bridges: ['br-mail', 'br-ldap'],
  addresses: ['192.0.2.25', '192.0.2.38', '2001:db8::25', '2001:db8::38'],
};

let directed: DirectedWorld;
let world: World;
let drifting: Drifting;
let reload: (world: World, tables?: readonly string[]) => Promise<void>;
let foreign: Dumps;

beforeAll(async () => {
  directed = await directedWorld();
  ({ world } = directed);
  drifting = new Drifting(directed);
  await furnish(world);
  await vi.waitFor(() => drifting.nothingPending(), { timeout: 20_000, interval: 200 });
  reload = await hostsOwnRules(world);
  foreign = foreignPart(await settledDumpsOf(world), OURS);
}, 60_000);
afterAll(() => directed.end());

function customers(pause: number): RunningLoad[] {
  return FAMILIES.map((family) =>
    world.startLoad('customer', { host: 'mail', port: 8000, family, workers: 2, pause }),
  );
}

/** Ends the load; answers how many connections reached each DomU, and prints what became of the others. */
async function ended(what: string, loads: readonly RunningLoad[]): Promise<Record<string, number>[]> {
  const summaries = await Promise.all(loads.map((load) => load.stop()));
  for (const [index, { connections, byDomu, failures }] of summaries.entries()) {
    const text = JSON.stringify({ connections, byDomu, lost: failures });
    console.log(`${what}, IPv${FAMILIES[index] ?? 0}: ${text}`);
  }
  return summaries.map(({ byDomu }) => ({ ...byDomu }));
}

async function seesPutBack(drift: Drift, whole?: readonly string[]): Promise<void> {
  const took = await drifting.putBack(drift, whole);
  console.log(`${drift.name}: put back and told after ${took} ms`);
}

const flushes: Drift[] = OUR_TABLES.map((table) => ({
  name: `iptables -t ${table} -F`,
  act: () => both(world, '-t', table, '-F'),
  told: [new RegExp(`chains that differ: .*${table} DIR-`), new RegExp(`jumps: .*${table} \\w+ to DIR-`)],
  kinds: ['rules'],
  after: () => reload(world, [table]),
}));

/** A sentence names the first few of many. */
const EVERYTHING = [
  /chains that differ: filter DIR-FWD, .* and \d+ more/,
  /jumps: filter FORWARD to DIR-FWD, .* and \d+ more/,
];

const rules: Drift[] = [
  ...flushes,
  {
    name: 'iptables -F and -X of all tables',
    act: () => restoreBoth(world, TABLES, '-F', '-X'),
    told: EVERYTHING,
    kinds: ['rules'],
    after: () => reload(world),
  },
  {
    name: 'one rule of the direction deleted',
    act: () => both(world, '-t', 'nat', '-D', 'DIR-mail.a', '1'),
    told: [/chains that differ: nat DIR-mail\.a/],
    kinds: ['rules'],
  },
  {
    name: 'one rule of the guard deleted',
    act: () => both(world, '-D', 'DIR-FWD-mail.b', '1'),
    told: [/chains that differ: filter DIR-FWD-mail\.b/],
    kinds: ['rules'],
  },
  {
    name: 'a rule of others above our jump',
    act: () => both(world, '-I', 'FORWARD', '-i', 'lan0', '-j', 'ACCEPT'),
    told: [/jumps: filter FORWARD to DIR-FWD/],
    kinds: ['rules'],
    after: async () => {
      const forward = await world.must('dom0', ['iptables', '-S', 'FORWARD']);
      expect(forward).toMatch(/-A FORWARD -j DIR-FWD\n[^]*-A FORWARD -i lan0 -j ACCEPT\n/);
      await both(world, '-D', 'FORWARD', '-i', 'lan0', '-j', 'ACCEPT');
    },
  },
  {
    name: 'our jump deleted',
    act: () => both(world, '-t', 'nat', '-D', 'PREROUTING', '-j', 'DIR-PRE'),
    told: [/jumps: nat PREROUTING to DIR-PRE/],
    kinds: ['rules'],
  },
  {
    name: 'our jump doubled',
    act: () => both(world, '-t', 'nat', '-A', 'PREROUTING', '-j', 'DIR-PRE'),
    told: [/jumps: nat PREROUTING to DIR-PRE/],
    kinds: ['rules'],
  },
  {
    name: 'nft flush ruleset',
    act: () => world.must('dom0', ['nft', 'flush', 'ruleset']),
    told: EVERYTHING,
    kinds: ['rules'],
    after: () => reload(world),
  },
  {
    name: 'what firewall-cmd --reload does',
    act: async () => {
      await world.must('dom0', ['nft', '-f', '-'], {
        stdin: `table inet firewalld\ndelete table inet firewalld`,
      });
      await restoreBoth(world, TABLES, '-F', '-X');
      await world.must('dom0', ['nft', '-f', '-'], { stdin: FIREWALLD });
      await both(world, '-I', 'FORWARD', '-i', 'lan0', '-j', 'ACCEPT');
    },
    told: EVERYTHING,
    kinds: ['rules'],
    after: async () => {
      await both(world, '-D', 'FORWARD', '-i', 'lan0', '-j', 'ACCEPT');
      await world.must('dom0', ['nft', 'delete', 'table', 'inet', 'firewalld']);
      await reload(world);
    },
  },
];

const KINDS_OF_SET = ['vips', 'domus', 'in', 'out', 'hairpin', 'mail-testers'].flatMap((stem) => [
  `dir-${stem}`,
  `dir-${stem}6`,
]);

const sets: Drift[] = [
  {
    name: 'ipset flush of sets of every kind',
    act: () => ipset(world, ...KINDS_OF_SET.map((name) => `flush ${name}`)),
    told: KINDS_OF_SET.map((name) => new RegExp(`not in ${name}: `)),
    kinds: ['set-add'],
    atOnce: true,
  },
  {
    name: 'ipset del of one element',
    act: () => ipset(world, 'del dir-vips 192.0.2.25', 'del dir-domus6 fd00:50::3'),
    told: [/not in dir-vips: 192\.0\.2\.25;/, /not in dir-domus6: fd00:50::3/],
    kinds: ['set-add'],
  },
  {
    name: 'a stranger added to testers',
    act: () => ipset(world, 'add dir-mail-testers 198.51.100.99', 'add dir-mail-testers6 2001:db8:100::99'),
    told: [
      /not wanted in dir-mail-testers: 198\.51\.100\.99/,
      /not wanted in dir-mail-testers6: 2001:db8:100::99/,
    ],
    kinds: ['set-delete'],
  },
  {
    name: 'ipset destroy of all of them',
    act: async () => {
      await restoreBoth(world, TABLES, '-F', '-X');
      const names = (await world.must('dom0', ['ipset', 'list', '-n'])).split('\n');
      const own = names.filter((name) => name.startsWith('dir-') && name !== 'dir-backup');
      const order = own.toSorted((a, b) => Number(isBank(a)) - Number(isBank(b)));
      await ipset(world, ...order.map((name) => `destroy ${name}`));
    },
    told: [/dir-vips6? does not exist/, /dir-mail-testers does not exist/, /the choice list/, ...EVERYTHING],
    kinds: ['set-create', 'choice-create', 'rules'],
    after: () => reload(world),
    atOnce: true,
  },
];

const isBank = (name: string): boolean => /-[xy]$/.test(name);

const links: Drift[] = [
  {
    name: 'a service address deleted from the uplink',
    act: () => ip(world, 'address del 192.0.2.25/32 dev eth0', 'address del 2001:db8::25/128 dev eth0'),
    told: [/192\.0\.2\.25\/32 is not on eth0/, /2001:db8::25\/128 is not on eth0/],
    kinds: ['address-add'],
  },
  {
    name: 'a gateway address deleted',
    act: () => ip(world, 'address del 10.50.0.1/24 dev br-mail', 'address del fd00:50::1/64 dev br-mail'),
    told: [/10\.50\.0\.1\/24 is not on br-mail/, /fd00:50::1\/64 is not on br-mail/],
    kinds: ['address-add'],
  },
  {
    name: 'the bridge deleted',
    act: () => ip(world, 'link del br-mail'),
    told: [
      /bridge br-mail does not exist/,
      /10\.50\.0\.1\/24/,
      /fd00:50::1\/64/,
      /vif1\.0 is not on br-mail/,
    ],
    kinds: ['bridge-add', 'address-add', 'member-add'],
  },
  {
    name: 'the bridge set down',
    act: () => ip(world, 'link set br-mail down'),
    told: [/bridge br-mail is down/],
    kinds: ['bridge-up'],
  },
  {
    name: 'a vif taken off its bridge',
    act: () => ip(world, 'link set vif1.0 nomaster'),
    told: [/vif1\.0 is not on br-mail/],
    kinds: ['member-add'],
  },
  {
    name: 'forwarding switched off',
    act: () =>
      world.must('dom0', ['sysctl', '-qw', 'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=0']),
    told: [/net\.ipv4\.ip_forward is 0/, /net\.ipv6\.conf\.all\.forwarding is 0/],
    kinds: ['sysctl'],
  },
];

const FIREWALLD = `
table inet firewalld {
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct status dnat accept
  }
}
`;

describe('while customers connect to a settled service (moby#12294, moby#48657, moby#50443, podman#27516, keepalived#1877)', () => {
  let loads: RunningLoad[];
  beforeAll(() => {
    loads = customers(20);
  });

  it.each([...rules, ...sets, ...links])(
    '$name is put back, and named',
    (drift) => seesPutBack(drift),
    60_000,
  );

  it('none of them was directed to the dark DomU', async () => {
    for (const reached of await ended('settled', loads)) {
      expect(Object.keys(reached)).toEqual(['mail-a']);
    }
  });

  it('a hold whose elements or rules are flushed goes on', async () => {
    await drifting.operator.must(200, 'POST', '/v1/services/ldap/hold', { for: '5m' });
    await seesPutBack({
      name: 'ipset flush dir-hold',
      act: () => ipset(world, 'flush dir-hold', 'flush dir-hold6'),
      told: [/not in dir-hold: 192\.0\.2\.38/, /not in dir-hold6: 2001:db8::38/],
      kinds: ['set-add'],
      atOnce: true,
    });
    await seesPutBack({
      name: 'iptables -t raw -F during a hold',
      act: () => both(world, '-t', 'raw', '-F'),
      told: [/chains that differ: raw DIR-HOLD/, /jumps: raw PREROUTING to DIR-HOLD/],
      kinds: ['rules'],
      after: () => reload(world, ['raw']),
    });
    expect(await drifting.operator.reached('customer', 'ldap', 400)).toEqual(['TIMEOUT', 'TIMEOUT']);
    await drifting.operator.must(200, 'DELETE', '/v1/services/ldap/hold');
  });

  it.each(FAMILIES)(
    'a sender of IPv%i datagrams that began while rules were gone is directed (kubernetes#139628)',
    async (family) => {
      const { process } = directed.daemon;
      const host = family === 4 ? '192.0.2.25' : '2001:db8::25';
      process.signal('SIGSTOP');
      await both(world, '-t', 'nat', '-D', 'PREROUTING', '-j', 'DIR-PRE');
      const sender = world.hold('customer', { host, port: 514, protocol: 'udp', every: 50 });
      const list = [
        'conntrack',
        '-L',
        '-f',
        family === 4 ? 'ipv4' : 'ipv6',
        '-p',
        'udp',
        '--orig-port-dst',
        '514',
        '-d',
        host,
      ];
      await expect
        .poll(async () => (await world.exec('dom0', list)).stdout, { timeout: 10_000, interval: 50 })
        .toMatch(/mark=0\b/);
      process.signal('SIGCONT');
      expect((await sender.next(({ text }) => text !== '', 20_000)).text).toContain('mail-a');
      await sender.stop();
    },
  );
});

describe('during a trial', () => {
  const choice = async (): Promise<string[]> => {
    const { phase, switch: trial } = await drifting.operator.service('mail');
    return [phase, trial?.id ?? '', trial?.confirmBy ?? ''];
  };
  const DRIFTS: { name: string; lines: string[] }[] = [
    { name: 'the list exchanged', lines: ['swap dir-trial dir-trial-next'] },
    { name: 'the list flushed', lines: ['flush dir-trial'] },
    {
      name: 'the banks flushed',
      lines: ['x', 'y'].flatMap((bank) =>
        ['trial', 'trial6', 'dark', 'dark6'].map((set) => `flush dir-${set}-${bank}`),
      ),
    },
  ];

  it('the choice is put back, and the trial goes on to its deadline', async () => {
    const { operator } = drifting;
    const trial = await operator.switch('mail', { confirmWithin: '5m' });
    const loads = customers(20);
    await operator.expectReached('customer', 'mail', 'mail-b');
    const before = await choice();
    for (const { name, lines } of DRIFTS) {
      const last = await drifting.lastEntry();
      const since = Date.now();
      directed.daemon.process.signal('SIGSTOP');
      await ipset(world, ...lines);
      directed.daemon.process.signal('SIGCONT');
      await expect
        .poll(async () => (await drifting.repairsSince(last)).length, { timeout: 20_000 })
        .toBeGreaterThan(0);
      const [repair] = await drifting.repairsSince(last);
      expect(repair?.text, name).toMatch(/the choice list|services on trial/);
      console.log(`${name}: put back after ${Date.parse(repair?.at ?? '') - since} ms`);
      await operator.expectReached('customer', 'mail', 'mail-b');
      await drifting.nothingPending();
      expect(await choice()).toEqual(before);
    }
    const left = (await world.must('dom0', ['ipset', 'save'])).matchAll(
      /^add dir-\w+-[xy] .* timeout (\d+)$/gm,
    );
    for (const [, seconds] of left) expect(Number(seconds)).toBeLessThanOrEqual(300);
    await ended('on trial', loads);
    await operator.rollBack(trial);
    await operator.expectReached('customer', 'mail', 'mail-a');
  }, 60_000);

  it('rules that were saved before a confirm and are loaded after it do not bring the old roles back', async () => {
    const { operator } = drifting;
    const trial = await operator.switch('mail');
    const old = await Promise.all(
      ['iptables', 'ip6tables'].map((tool) => world.must('dom0', [`${tool}-save`])),
    );
    await operator.confirm(trial);
    await operator.testing('mail', 'open');
    await vi.waitFor(() => drifting.nothingPending(), { timeout: 20_000, interval: 200 });
    const whole = await wholeKernel(world);
    await seesPutBack(
      {
        name: 'iptables-restore of an older file',
        act: async () => {
          for (const [index, tool] of ['iptables', 'ip6tables'].entries())
            await world.must('dom0', [`${tool}-restore`, '-w'], { stdin: old[index] ?? '' });
        },
        told: [/nat DIR-mail\b/, /filter DIR-FWD-mail\.a/],
        kinds: ['rules'],
      },
      whole,
    );
    await operator.expectReached('customer', 'mail', 'mail-b');
    await operator.expectReached('tester', 'mail', 'mail-a');
  }, 60_000);
});

it('what is not ours is byte for byte as it was', async () => {
  expect(foreignPart(await dumpsOf(world), OURS)).toEqual(foreign);
});

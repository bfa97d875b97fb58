import { describe, expect, it, test } from 'vitest';
import { examineApart, parseSubject } from '../../src/doctor/apart.ts';
import { check, examine } from '../../src/doctor/check.ts';
import { ALL, WATCHED } from '../../src/doctor/checks.ts';
import { Checkup } from '../../src/doctor/checkup.ts';
import { judgeBridgeNetfilter } from '../../src/doctor/checks/bridge-netfilter.ts';
import { judgeClock } from '../../src/doctor/checks/clock.ts';
import { judgeConntrack } from '../../src/doctor/checks/conntrack.ts';
import { judgeDuplicates } from '../../src/doctor/checks/duplicates.ts';
import { judgeFirewalls } from '../../src/doctor/checks/firewalls.ts';
import { judgeForwardChain } from '../../src/doctor/checks/forward-chain.ts';
import { judgeForwarding } from '../../src/doctor/checks/forwarding.ts';
import type { ForwardingSeen } from '../../src/doctor/checks/forwarding.ts';
import { judgeGuests } from '../../src/doctor/checks/guests.ts';
import { judgeIptables } from '../../src/doctor/checks/iptables.ts';
import { judgeLinks } from '../../src/doctor/checks/links.ts';
import type { LinksSeen } from '../../src/doctor/checks/links.ts';
import { judgeMeter } from '../../src/doctor/checks/meter.ts';
import { judgeMtu } from '../../src/doctor/checks/mtu.ts';
import { judgeNode } from '../../src/doctor/checks/node.ts';
import { judgeParts } from '../../src/doctor/checks/parts.ts';
import { judgeRpFilter } from '../../src/doctor/checks/rp-filter.ts';
import { judgeStaging } from '../../src/doctor/checks/staging.ts';
import { judgeStore } from '../../src/doctor/checks/store.ts';
import type { StoreSeen } from '../../src/doctor/checks/store.ts';
import { CHECKS, ok, unknown, word } from '../../src/doctor/finding.ts';
import type { Finding, Verdict } from '../../src/doctor/finding.ts';
import type { Ground } from '../../src/doctor/ground.ts';
import { parseBases } from '../../src/doctor/nft-chains.ts';
import { refusalsIn } from '../../src/doctor/refusals.ts';
import { parseRuleset } from '../../src/doctor/rulesets.ts';
import type { Domain, DomainVif } from '../../src/xen/hypervisor.ts';
import { HandClock } from '../contract/hand-clock.ts';
import { mailService } from './support/director-double.ts';

/** `grade: what`, and the command. */
const told = (verdicts: readonly Verdict[]) => verdicts.map(({ grade, what }) => `${grade}: ${what}`);
const commands = (verdicts: readonly Verdict[]) => verdicts.map(({ command }) => command);
const none = new Set<string>();
const rulesetOf = (rules: string, policy = 'ACCEPT') =>
  parseRuleset(`*filter\n:FORWARD ${policy} [0:0]\n${rules}\nCOMMIT\n`, 4, 'nft');
const forward = async (rules: string, links: ReadonlySet<string> | null = null, policy?: string) =>
  judgeForwardChain({ rulesets: [await rulesetOf(rules, policy)], bases: [], links });

describe('what is told of', () => {
  test('Node: from 20.19 on it will do, if the database runs in it', () => {
    const versions = ['20.18.3', '20.19.0', '22.0.0', '18.20.1'];
    expect(versions.flatMap((version) => told(judgeNode({ version, database: null })))).toEqual([
      'fault: Node 20.18.3',
      'ok: Node 20.19.0',
      'ok: Node 22.0.0',
      'fault: Node 18.20.1',
    ]);
    expect(told(judgeNode({ version: '20.19.0', database: 'ERR_DLOPEN_FAILED' }))).toEqual([
      'fault: the database does not run in Node 20.19.0',
    ]);
  });

  test('missing parts: each, with the command that its sentence has', () => {
    const verdicts = judgeParts(['the kernel keeps no IP sets (x): `modprobe ip_set`', 'no rights']);
    expect(told(verdicts)).toEqual(['fault: the kernel keeps no IP sets (x)', 'fault: no rights']);
    expect(commands(verdicts)).toEqual(['modprobe ip_set', null]);
    expect(told(judgeParts([]))).toHaveLength(1);
  });

  test('conntrack: nearly full, and as good as full', () => {
    const grades = [79, 80, 94, 95].map((entries) => judgeConntrack({ entries, limit: 100 })[0]?.grade);
    expect(grades).toEqual(['ok', 'warning', 'warning', 'fault']);
    expect(commands(judgeConntrack({ entries: 99, limit: 100 }))).toEqual([
      'sysctl -w net.netfilter.nf_conntrack_max=200',
    ]);
    expect(judgeConntrack({ entries: null, limit: null })[0]?.grade).toBe('ok');
  });

  test('guests: a Dom0 whose Xen is not asked, DomUs that cannot answer, and vifs that start elsewhere', () => {
    const services = [mailService()];
    const vif = (more: Partial<DomainVif> = {}): DomainVif => ({
      ...{ device: 0, name: 'vif7.0', mac: '', bridge: services[0]!.bridge.name, connected: true },
      ...more,
    });
    const judged = (state: Domain['state'], vifs: readonly DomainVif[]) => {
      const domains = [{ name: services[0]!.domus[0].name, domid: 7, state, vifs }];
      return judgeGuests({ presence: { kind: 'xen' }, isDom0: true, services, domains });
    };
    expect(told(judged('running', [vif()]))).toEqual(['ok: Xen answers, and finds nothing wrong with DomUs']);
    expect(told(judged('crashed', [vif()]))).toEqual(['warning: mail-a has crashed']);
    expect(commands(judged('paused', [vif()]))).toEqual(['xl unpause mail-a']);
    // By its device's number it is the one; and it begins on another bridge.
    const elsewhere = judged('running', [vif({ bridge: 'xenbr0', name: services[0]!.domus[0].vifs[0]! })]);
    expect(told(elsewhere)).toEqual([
      `warning: the guest configuration of mail-a names xenbr0 instead of ${services[0]!.bridge.name}`,
    ]);
    expect(commands(elsewhere)).toEqual(['director vif mail mail-a']);
    const none = { presence: { kind: 'none', reason: 'this host does not run under Xen' } } as const;
    const off = (isDom0: boolean) => judgeGuests({ ...none, isDom0, services, domains: [] })[0]?.grade;
    expect([off(false), off(true)]).toEqual(['ok', 'warning']);
  });

  test('staging: whatever it lacks is a fault, and a thin pool that fills up is the live DomU’s own trouble', () => {
    const all = { services: ['mail'], withoutXen: null, withoutBus: false, withoutConfig: [], volumes: [] };
    const pool = (filled: number) => ({ group: 'vg0', name: 'pool', kind: 'pool', filled }) as const;
    expect(told(judgeStaging(all))).toEqual(['ok: mail can be staged']);
    expect(judgeStaging({ ...all, services: [] })).toEqual([]);
    expect(told(judgeStaging({ ...all, withoutXen: 'no Xen' }))).toEqual([
      'fault: mail cannot be staged: no Xen',
    ]);
    expect(
      commands(judgeStaging({ ...all, withoutBus: true, withoutConfig: ['/etc/xen/mail-a.cfg'] })),
    ).toEqual(['apt-get install dbus', 'ls -l /etc/xen']);
    const grades = [79, 80, 94, 95].map(
      (filled) => judgeStaging({ ...all, volumes: [pool(filled)] })[0]?.grade,
    );
    expect(grades).toEqual(['ok', 'warning', 'warning', 'fault']);
  });

  test('forwarding: off is a fault while a director runs, which else turns it on, and for one link always', () => {
    const judged = (running: boolean, change: Partial<ForwardingSeen['families'][number]>) =>
      judgeForwarding({ running, families: [{ family: 4, on: true, offOn: [], without: [], ...change }] });
    expect(told(judged(true, {}))).toEqual(['ok: IPv4 is forwarded']);
    expect(told(judged(true, { on: false }))).toEqual(['fault: IPv4 is not forwarded']);
    expect(told(judged(false, { on: false }))[0]).toMatch(/^ok: IPv4 will be forwarded/);
    const one = judged(false, { offOn: ['eth0.5'] });
    expect(told(one)).toEqual(['fault: IPv4 is not forwarded from eth0.5']);
    // Not dots: they would part the name.
    expect(commands(one)).toEqual(['sysctl -w net/ipv4/conf/eth0.5/forwarding=1']);
  });

  test('a family that services need, and that the kernel or a link has not', () => {
    const judged = (change: Partial<ForwardingSeen['families'][number]>) =>
      judgeForwarding({
        running: false,
        families: [{ family: 6, on: true, offOn: [], without: [], ...change }],
      });
    expect(told(judged({ on: null }))).toEqual(['fault: this kernel has no IPv6']);
    expect(told(judged({ without: ['eth0'], on: false }))).toEqual(['fault: IPv6 is off on eth0']);
  });

  test('reverse path filtering: strict, not loose', () => {
    const at = (value: number) => judgeRpFilter([{ link: 'eth0', value }])[0];
    expect([at(0)?.grade, at(1)?.grade, at(2)?.grade]).toEqual(['ok', 'warning', 'ok']);
    expect(at(1)?.command).toBe('sysctl -w net/ipv4/conf/all/rp_filter=2 net/ipv4/conf/eth0/rp_filter=2');
  });

  test('bridges whose frames iptables sees', () => {
    expect(judgeBridgeNetfilter([])[0]?.grade).toBe('ok');
    expect(commands(judgeBridgeNetfilter(['iptables', 'ip6tables']))).toEqual([
      'sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0',
    ]);
  });

  test('two variants of iptables with rules, and what a director left in the other one', () => {
    const of = (foreign: number, ours: boolean) =>
      told(
        judgeIptables({
          backend: 'nft',
          rulesets: [
            { family: 4, backend: 'nft', foreign: 9, ours: true },
            { family: 4, backend: 'legacy', foreign, ours },
          ],
        }),
      );
    expect(of(0, false)).toEqual(['ok: iptables-nft alone has rules']);
    expect(of(1, false)).toEqual([
      'warning: IPv4: iptables-legacy has 1 rule beside iptables-nft, which the director uses',
    ]);
    expect(of(0, true)).toEqual([
      'fault: IPv4: iptables-legacy has chains of the director, which uses the other variant now',
    ]);
  });

  test('a clock that nobody sets', () => {
    const seen = { keeper: false, ahead: 0 };
    const judged = [true, false, null].map((synchronised) => judgeClock({ ...seen, synchronised })[0]);
    expect(judged.map((verdict) => verdict?.grade)).toEqual(['ok', 'warning', 'warning']);
    expect(commands(judgeClock({ ...seen, synchronised: false }))).toEqual([
      'apt-get install systemd-timesyncd',
    ]);
    expect(commands(judgeClock({ ...seen, synchronised: false, keeper: true }))).toEqual([
      'timedatectl set-ntp true',
    ]);
  });

  test('a clock that was ahead of what it is now, though it is synchronised', () => {
    const judged = (ahead: number) => told(judgeClock({ synchronised: true, keeper: true, ahead }));
    expect(judged(59_000)).toEqual(['ok: the clock is synchronised']);
    expect(judged(180_000)).toEqual(['fault: the clock is at least 3 min behind what it was']);
  });

  test('what costs can only be guessed at, which is never a fault', () => {
    expect(judgeMeter({ mode: 'windows', by: 'tcx', lacking: [] })[0]?.grade).toBe('ok');
    const model = judgeMeter({ mode: 'model', by: '', lacking: ['windows: no', 'sampler: no'] })[0];
    expect([model?.grade, model?.why]).toEqual(['warning', 'windows: no\nsampler: no']);
  });

  test('an address of somebody else’s, but not what our own links answer', () => {
    const answers = [
      { link: 'eth0', address: { family: 4 as const, text: '192.0.2.25' }, mac: '02:00:00:00:00:01' },
      { link: 'eth0', address: { family: 6 as const, text: '2001:db8::25' }, mac: '02:00:00:00:00:02' },
    ];
    const seen = { uplink: 'eth0', asked: 2, answers, own: none };
    expect(told(judgeDuplicates(seen))).toEqual([
      "fault: 192.0.2.25 is also somebody else's: 02:00:00:00:00:01 answers for it on eth0",
      "fault: 2001:db8::25 is also somebody else's: 02:00:00:00:00:02 answers for it on eth0",
    ]);
    expect(judgeDuplicates({ ...seen, own: new Set(answers.map(({ mac }) => mac)) })[0]?.grade).toBe('ok');
    expect(judgeDuplicates({ ...seen, asked: 0, answers: [] })).toEqual([]);
  });

  test('an address of a DomU’s that two answer for: one of them is a clone', () => {
    const answer = {
      link: 'br-mail',
      address: { family: 4 as const, text: '10.50.0.2' },
      mac: '00:16:3e:00:00:02',
    };
    const judged = (...answers: (typeof answer)[]) =>
      judgeDuplicates({ uplink: 'eth0', asked: 2, answers, own: none });
    expect(told(judged(answer))).toEqual(['ok: nobody else answers for our 2 addresses']);
    const both = judged(answer, { ...answer, mac: '00:16:3e:00:00:01' });
    expect(told(both)).toEqual([
      'fault: 10.50.0.2 is a DomU’s, and 00:16:3e:00:00:01 and 00:16:3e:00:00:02 answer for it on br-mail',
    ]);
    expect(commands(both)).toEqual(['bridge fdb show br br-mail']);
    // The same address may be used behind another bridge.
    expect(told(judged(answer, { ...answer, link: 'br-ldap', mac: '00:16:3e:00:00:01' }))[0]).toMatch(/^ok/);
  });
});

describe('the store', () => {
  const GIB = 2 ** 30;
  const disk: StoreSeen = {
    directory: '/var/lib/dom0-director',
    type: 0xef53,
    bytesFree: 10 * GIB,
    bytes: 40 * GIB,
    inodesFree: 5,
    writable: true,
  };
  it.each<[string, Partial<StoreSeen>, string]>([
    ['an ordinary disk', {}, 'ok'],
    ['tmpfs, which a reboot empties', { type: 0x01021994 }, 'fault'],
    ['a little space', { bytesFree: 100 * 2 ** 20 }, 'warning'],
    ['as little, but of a small disk', { bytesFree: 100 * 2 ** 20, bytes: GIB }, 'ok'],
    ['next to no space', { bytesFree: 2 ** 20 }, 'fault'],
    ['no inodes', { inodesFree: 0 }, 'fault'],
    ['no inodes where none are counted', { inodesFree: null }, 'ok'],
    ['a disk that is read-only', { writable: false }, 'fault'],
    ['a disk that only root may write', { writable: null }, 'ok'],
    ['another host’s disk', { type: 0x6969 }, 'fault'],
    ['a disk, where it is cleared away', { directory: '/var/tmp/director' }, 'fault'],
    ['a disk, under a name that only looks like that', { directory: '/tmpfoo/director' }, 'ok'],
  ])('on %s', (_, change, grade) => {
    expect(judgeStore({ ...disk, ...change })[0]?.grade).toBe(grade);
  });
  it('is not judged where none is configured', () => expect(judgeStore(null)).toEqual([]));
});

describe('links', () => {
  const link = (name: string, master: string | null = null, mtu = 1500) => ({ name, up: true, master, mtu });
  const seen = {
    running: true,
    uplink: 'eth0',
    services: [mailService()],
    links: [link('eth0'), link('br-mail'), link('vif1.0', 'br-mail'), link('vif2.0', 'br-mail')],
  };
  const judged = (change: Partial<LinksSeen>) => told(judgeLinks({ ...seen, ...change }));
  const without = (name: string) => seen.links.filter((each) => each.name !== name);

  it('as they should be are fine, and so is a vif of a guest that does not run', () => {
    const fine = ['ok: the uplink is there, and each vif is on its own bridge'];
    expect(judged({})).toEqual(fine);
    expect(judged({ links: without('vif2.0') })).toEqual(fine);
    expect(judgeLinks({ running: false, uplink: null, services: [], links: [] })).toEqual([]);
  });

  it('a vif on another bridge is a fault, and the command puts it right', () => {
    const links = [...without('vif2.0'), link('vif2.0', 'xenbr0')];
    const verdicts = judgeLinks({ ...seen, links });
    expect(told(verdicts)).toEqual(['fault: vif2.0 is on xenbr0 instead of br-mail']);
    expect(commands(verdicts)).toEqual(['ip link set dev vif2.0 master br-mail']);
  });

  it('a vif on no bridge waits for the director; with one that runs, something is wrong', () => {
    const links = [...without('vif2.0'), link('vif2.0')];
    expect(judged({ links })).toEqual(['warning: vif2.0 is on no bridge']);
    expect(judged({ links, running: false })[0]).toMatch(/^ok/);
  });

  it('an uplink that is not there, is down, or is a port of a bridge', () => {
    expect(judged({ links: without('eth0') })[0]).toMatch(/^fault: the uplink eth0 is not there/);
    const down = { ...link('eth0'), up: false };
    expect(judged({ links: [...without('eth0'), down] })[0]).toMatch(/^fault: .* is down/);
    const port = link('eth0', 'xenbr0');
    expect(judged({ links: [...without('eth0'), port] })[0]).toMatch(/^fault: .* is a port of xenbr0/);
  });

  it('a stranger on a service’s bridge reaches the dark DomU', () => {
    expect(judged({ links: [...seen.links, link('eth7', 'br-mail')] })).toEqual([
      'warning: br-mail has ports that are no vif of its DomUs: eth7',
    ]);
  });

  it('MTUs: within a bridge they must be the same; the uplink’s should be', () => {
    const mtu = (change: typeof seen.links) => {
      const names = new Set(change.map(({ name }) => name));
      const links = [...seen.links.filter(({ name }) => !names.has(name)), ...change];
      return told(judgeMtu({ ...seen, links }));
    };
    expect(mtu([])[0]).toMatch(/^ok/);
    expect(mtu([link('vif2.0', 'br-mail', 9000)])).toEqual([
      'fault: vif2.0 has an MTU of 9000, and br-mail of 1500',
    ]);
    expect(mtu([link('eth0', null, 9000)])).toEqual([
      'warning: eth0 has an MTU of 9000, and br-mail of 1500',
    ]);
    // Not on the bridge: links.ts tells of that.
    expect(mtu([link('vif2.0', null, 9000)])[0]).toMatch(/^ok/);
  });
});

describe('FORWARD', () => {
  const PASS = '-A FORWARD -j DIR-PASS';

  it('without refusals, or with ours alone, is fine', async () => {
    expect(told(await forward('-A FORWARD -j DIR-FWD\n-A FORWARD -i lan0 -j ACCEPT\n' + PASS))).toEqual([
      'ok: nothing in FORWARD stands in the way',
    ]);
  });

  it('a policy that drops is told as what it means', async () => {
    const verdicts = await forward(PASS, null, 'DROP');
    expect(told(verdicts)).toEqual(["warning: IPv4: FORWARD's policy is DROP"]);
    expect(commands(verdicts)).toEqual(['iptables-nft -P FORWARD ACCEPT']);
  });

  it('what stands above ours is a fault', async () => {
    const verdicts = await forward('-A FORWARD -i vif9 -j ACCEPT\n-A FORWARD -j DIR-FWD\n' + PASS);
    expect(told(verdicts)).toEqual([
      "fault: IPv4: FORWARD has 1 rule above the director's: -i vif9 -j ACCEPT",
    ]);
  });

  it('a rule that refuses everything is a fault, by its number; in a chain of others, too', async () => {
    const direct = await forward('-A FORWARD -j DIR-FWD\n-A FORWARD -j REJECT --reject-with x\n' + PASS);
    expect(told(direct)[0]).toMatch(/^fault: IPv4: FORWARD refuses everything \(FORWARD: -j REJECT/);
    expect(commands(direct)).toEqual(['iptables-nft -D FORWARD 2']);
    const jumped = await forward(
      ':OTHERS - [0:0]\n-A FORWARD -j OTHERS\n-A OTHERS -m comment --comment "a -j b" -j DROP',
    );
    expect(commands(jumped)).toEqual(['iptables-nft -D OTHERS 1']);
  });

  it('a rule that refuses some is a warning, but none of what nobody means', async () => {
    expect(told(await forward('-A FORWARD -p tcp --dport 25 -j DROP'))[0]).toMatch(
      /^warning: .*may be directed/,
    );
    for (const rule of [
      '-A FORWARD -m conntrack --ctstate INVALID -j DROP',
      '-A FORWARD -j ACCEPT\n-A FORWARD -j DROP',
      ':X - [0:0]\n-A FORWARD -i eth0 -j X\n-A X -j RETURN\n-A X -j DROP',
      '-A INPUT -j DROP',
      '-A FORWARD -j DIR-PASS\n-A FORWARD -j DROP',
      // As firewalld does with iptables.
      '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT\n-A FORWARD -j REJECT',
      // Blocklists.
      '-A FORWARD -s 203.0.113.0/24 -j DROP',
      '-A FORWARD -m set --match-set blocked src -j DROP',
      ':X - [0:0]\n-A FORWARD -s 203.0.113.0/24 -j X\n-A X -j DROP',
    ])
      expect(told(await forward(rule))).toEqual(['ok: nothing in FORWARD stands in the way']);
  });

  it('a rule that refuses all but certain senders, or accepts answers alone, is told', async () => {
    for (const rule of ['! -s 203.0.113.0/24 -j DROP', '-m set ! --match-set known src -j DROP'])
      expect((await forward(`-A FORWARD ${rule}`))[0]?.grade).toBe('warning');
    const answers = '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A FORWARD -j REJECT';
    expect((await forward(answers))[0]?.grade).toBe('fault');
  });

  it('a guard that nothing leads to is a fault', async () => {
    const verdicts = await forward(':DIR-FWD - [0:0]\n-A DIR-FWD -j RETURN');
    expect(told(verdicts)).toEqual(['fault: IPv4: FORWARD does not lead to DIR-FWD']);
    expect(commands(verdicts)).toEqual(['iptables-nft -I FORWARD -j DIR-FWD']);
    expect((await forward(':DIR-FWD - [0:0]\n-A FORWARD -j DIR-FWD'))[0]?.grade).toBe('ok');
  });

  it('rules of links that are none of ours are nobody’s business here', async () => {
    const ours = new Set(['eth0', 'br-mail', 'vif1.0']);
    const judged = async (rule: string) => (await forward(`-A FORWARD ${rule} -j REJECT`, ours))[0]?.grade;
    expect(await judged('-i virbr0')).toBe('ok');
    expect(await judged('-o virbr0')).toBe('ok');
    expect(await judged('-i vir+')).toBe('ok');
    expect(await judged('-o br-+')).toBe('warning');
    expect(await judged('! -i virbr0')).toBe('warning');
    expect(await judged('-i eth0')).toBe('warning');
    const jumped = await forward('-A FORWARD -o docker0 -j X\n-A X -j DROP', ours);
    expect(jumped[0]?.grade).toBe('ok');
  });

  it('chains that lead to each other end', () => {
    const chains = new Map([
      ['FORWARD', ['-j A']],
      ['A', ['-p tcp -j B', '-p udp -j DROP']],
      ['UNUSED', ['-j DROP']],
      ['B', ['-j A', '-d 1.2.3.4/32 -j DROP']],
    ]);
    expect(refusalsIn(chains, null).map(({ chain, number, always }) => [chain, number, always])).toEqual([
      ['A', 2, false],
      ['B', 2, false],
    ]);
  });

  it('chains that all lead to each other are walked twice each, not on every way', () => {
    const rules = Array.from({ length: 100 }, (_, i) => `-p tcp -m tcp --dport ${i} -j C${i}`);
    const chains = new Map([['FORWARD', rules], ...rules.map((_, i) => [`C${i}`, rules] as const)]);
    expect(refusalsIn(chains, null)).toEqual([]);
  });

  it('a foreign base chain of nftables that drops by policy is told', () => {
    const base = { family: 'inet', table: 'own', chain: 'fwd', hook: 'forward', policy: 'drop' as const };
    expect(told(judgeForwardChain({ rulesets: [], bases: [base], links: null }))).toEqual([
      "warning: nft: inet own's chain fwd drops what it does not accept",
    ]);
    const input = judgeForwardChain({ rulesets: [], bases: [{ ...base, hook: 'input' }], links: null });
    expect(input[0]?.grade).toBe('ok');
  });
});

describe('other firewalls', () => {
  const found = (chains: string[], table = 'own') =>
    told(
      judgeFirewalls({
        chains,
        bases: [{ family: 'inet', table, chain: 'x', hook: 'forward', policy: 'accept' }],
        bridges: ['br-mail'],
      }),
    ).map((line) => line.split(' ').slice(0, 2).join(' '));
  it.each([
    ['DOCKER-USER', 'warning: Docker'],
    ['DOCKER', 'warning: Docker'],
    ['ufw-before-forward', 'warning: ufw'],
    ['LIBVIRT_FWO', 'warning: libvirt'],
    ['FWDI_public', 'warning: firewalld'],
    ['DOCKERS', 'ok: no'],
  ])('are known by their chains: %s', (chain, what) => expect(found([chain])).toEqual([what]));
  it.each([
    ['firewalld', 'warning: firewalld'],
    ['libvirt_network', 'warning: libvirt'],
    ['docker-bridges', 'warning: Docker'],
  ])('and by their tables: %s', (table, what) => expect(found([], table)).toEqual([what]));
});

describe('reading', () => {
  it('iptables-save: what is not ours, without our jumps', async () => {
    const text = [
      '*nat',
      ':PREROUTING ACCEPT [0:0]',
      ':DIR-PRE - [0:0]',
      ':OTHER - [0:0]',
      '-A PREROUTING -j DIR-PRE',
      '-A PREROUTING -j OTHER',
      '-A DIR-PRE -j RETURN',
      'COMMIT',
      '*filter',
      ':FORWARD DROP [1:2]',
      '-A FORWARD -p tcp -j ACCEPT ',
      'COMMIT',
      '',
    ].join('\n');
    expect(await parseRuleset(text, 6, 'legacy')).toEqual({
      family: 6,
      backend: 'legacy',
      foreign: 2,
      ours: true,
      guarded: null,
      chains: ['OTHER'],
      policy: 'DROP',
      filter: new Map([['FORWARD', ['-p tcp -j ACCEPT']]]),
    });
  });

  it('nft list chains: base chains of tables that are no iptables’', async () => {
    const text = `table ip filter {
\tchain FORWARD {
\t\ttype filter hook forward priority filter; policy drop;
\t}
\tchain forward {
\t\ttype filter hook forward priority 1; policy drop;
\t}
}
table inet firewalld {
\tchain filter_FORWARD {
\t\ttype filter hook forward priority filter + 10; policy accept;
\t}
\tchain filter_FWD_policies {
\t}
\tchain drops {
\t\ttype filter hook forward priority 7; policy drop;
\t}
}
`;
    const base = { family: 'inet', table: 'firewalld', hook: 'forward' };
    expect(await parseBases(text)).toEqual([
      { family: 'ip', table: 'filter', chain: 'forward', hook: 'forward', policy: 'drop' },
      { ...base, chain: 'filter_FORWARD', policy: 'accept' },
      { ...base, chain: 'drops', policy: 'drop' },
    ]);
  });

  it('a name that a shell would take for more is put in quotes', () => {
    expect(['br-mail', 'a;b', "it's", '$(x)'].map(word)).toEqual([
      'br-mail',
      "'a;b'",
      "'it'\\''s'",
      "'$(x)'",
    ]);
  });
});

describe('an examination', () => {
  it('tells of a check that cannot look, and goes on', async () => {
    const broken = check(
      'mtu',
      () => Promise.reject(new Error('no eyes')),
      () => [],
    );
    const fine = check(
      'node',
      () => 1,
      () => [ok('fine')],
    );
    expect(await examine([broken, fine], {} as Ground)).toEqual([
      { check: 'mtu', ...unknown('mtu could not be looked at', 'no eyes') },
      { check: 'node', ...ok('fine') },
    ]);
  });

  it('has each check once; the daemon spares itself what takes long', () => {
    const names = ALL.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(CHECKS.filter((name) => name !== 'config' && name !== 'doctor').toSorted()).toEqual(
      names.toSorted(),
    );
    const watched = WATCHED.map(({ name }) => name);
    expect(names.filter((name) => !watched.includes(name))).toEqual(['node', 'parts', 'meter']);
  });
});

describe('the daemon’s checkup', () => {
  it('looks soon and every ten minutes, and tells of what is new', async () => {
    const clock = new HandClock();
    const said: string[] = [];
    let entries = 1;
    let looks = 0;
    const examine = (): Promise<Finding[]> => {
      looks++;
      const verdicts = judgeConntrack({ entries, limit: 100 });
      return Promise.resolve(verdicts.map((verdict) => ({ check: 'conntrack', ...verdict })));
    };
    const checkup = new Checkup({ examine, clock, onNew: ({ what }) => said.push(what) });
    const grades = () => checkup.findings?.map(({ grade }) => grade);
    checkup.start();
    await clock.turn(9_000);
    expect([looks, checkup.findings]).toEqual([0, null]);
    await clock.turn(1_000);
    expect([looks, grades(), said.splice(0)]).toEqual([1, ['ok'], []]);
    entries = 99;
    await clock.turn(599_000);
    expect(looks).toBe(1);
    await clock.turn(1_000);
    expect([grades(), said.splice(0)]).toEqual([['fault'], ['conntrack holds 99 of at most 100 flows']]);
    // Another figure is no news.
    entries = 98;
    await clock.turn(600_000);
    expect([looks, said.splice(0)]).toEqual([3, []]);
    checkup.stop();
    await clock.turn(6_000_000);
    expect([looks, clock.waiting]).toEqual([3, 0]);
  });

  it('that is stopped while it looks says nothing, and looks no more', async () => {
    const clock = new HandClock();
    const checkup = new Checkup({
      examine: (signal) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => resolve([{ check: 'mtu', ...ok('x') }])),
        ),
      clock,
      onNew: () => undefined,
    });
    checkup.start();
    await clock.turn(10_000);
    checkup.stop();
    await clock.turn(600_000);
    expect([checkup.findings, clock.waiting]).toEqual([null, 0]);
  });
});

describe('a look in another process', () => {
  const subject = {
    services: [mailService()],
    uplink: 'eth0',
    state: '/x',
    iptables: 'auto',
    xen: 'auto',
    running: true,
  } as const;
  const { signal } = new AbortController();
  const node = (program: string): readonly [string, ...string[]] => [process.execPath, '-e', program];

  it('is given the whole subject, and its findings are taken as they are', async () => {
    const echo = node(
      "let t = ''; process.stdin.on('data', (d) => (t += d)).on('end', () => console.log(JSON.stringify([t])))",
    );
    const [text] = (await examineApart(subject, { argv: echo, signal })) as unknown as [string];
    expect(parseSubject(text)).toEqual(subject);
  });

  it.each([
    ['that dies', node('process.kill(process.pid, "SIGKILL")')],
    ['that fails', node('throw new Error("no memory")')],
    ['that says nothing', node('')],
    ['that fails at the end', node('console.log("[]"); process.exitCode = 1')],
    ['that is not there', ['/nowhere/node'] as const],
  ])('%s is a finding, and nothing else is known', async (_, argv) => {
    const findings = await examineApart(subject, { argv, signal });
    expect(findings.map(({ check: name, grade }) => `${name} ${grade}`)).toEqual(['doctor unknown']);
  });
});

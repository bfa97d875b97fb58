import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configText } from '../../src/lab/config-file.ts';
import { labServices } from '../../src/lab/topology.ts';
import { World } from '../../src/lab/world.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Metrics } from './support/metrics.ts';
import { DIRECTOR, LAB_SCRIPTS } from './support/scripts.ts';
import { settledDumpsOf } from './support/traces.ts';

interface Report {
  readonly fit: boolean;
  readonly findings: readonly { check: string; grade: string; what: string; command: string | null }[];
}

/** Not in /tmp, which is no place for a store; the project itself may be there. */
const NEARBY = fileURLToPath(new URL('../../.cache', import.meta.url));
const CACHE = /^\/(var\/)?tmp\//.test(NEARBY) ? '/var/lib' : NEARBY;
/** What is judged as this machine is, whatever world is in it; neither is ever a fault. */
const OWN = ['clock', 'meter'];

const WATCHED = [
  'conntrack',
  'forwarding',
  'iptables',
  'forward-chain',
  'links',
  'mtu',
  'duplicates',
  'store',
];

let world: World;
let directory: string;

beforeAll(async () => {
  await mkdir(CACHE, { recursive: true });
  directory = await mkdtemp(`${CACHE}/doctor-`);
  world = await World.create({ services: labServices(2), bridgeNetfilter: false, scripts: LAB_SCRIPTS });
  await filterLoosely(world);
});
afterAll(async () => {
  await world.destroy();
  await rm(directory, { recursive: true, force: true });
});

/** A namespace begins as this machine is set. */
async function filterLoosely(of: World): Promise<void> {
  const loose = ['all', 'default', 'eth0'].map((link) => `net.ipv4.conf.${link}.rp_filter=0`);
  await of.must('dom0', ['sysctl', '-qw', ...loose]);
}

async function examined(of: World, args: readonly string[], before: readonly string[] = []) {
  const argv = [...before, ...DIRECTOR, 'doctor', '--json', ...args];
  const { code, stdout } = await of.exec('dom0', argv, { timeout: 30_000 });
  return { code, ...(JSON.parse(stdout) as Report) };
}

async function configured(state: string): Promise<string[]> {
  const file = `${directory}/director.yaml`;
  await writeFile(file, configText(world.services, { directory, top: { state } }));
  return ['--config', file];
}

/** What is not as it should be, as `grade check: what`. */
const wrong = ({ findings }: Report): string[] =>
  findings
    .filter(({ check, grade }) => grade !== 'ok' && !OWN.includes(check))
    .map(({ check, grade, what }) => `${grade} ${check}: ${what}`)
    .toSorted();

const [mail] = labServices(1);
const { ipv4 = '', ipv6 = '' } = mail ?? {};

/** Each line makes the Dom0 unfit in a way of its own. */
const UNFIT = [
  'sysctl -qw net.ipv4.conf.eth0.rp_filter=1',
  'sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1',
  'sysctl -qw net.bridge.bridge-nf-call-iptables=1',
  'ip link add xenbr0 type bridge',
  'ip link add br-mail type bridge',
  'ip link set vif1.0 master xenbr0',
  'ip link set vif2.0 mtu 1400 master br-mail',
  'ip link set br-mail mtu 1300',
  'ip link add stranger type veth peer name strangers-end',
  'ip link set stranger mtu 1300 master br-mail',
  'iptables-nft -N DIR-FWD',
  'iptables-nft -P FORWARD DROP',
  'iptables-nft -N DOCKER-USER',
  'iptables-nft -A FORWARD -j DOCKER-USER',
  'iptables-nft -A DOCKER-USER -p tcp --dport 25 -j DROP',
  'iptables-nft -A FORWARD -j REJECT',
  'ip6tables-nft -N DIR-FWD',
  'ip6tables-nft -A FORWARD -s 2001:db8:bad::/48 -j ACCEPT',
  'ip6tables-nft -A FORWARD -j DIR-FWD',
  'iptables-legacy -A INPUT -s 203.0.113.99 -j DROP',
  'nft add table inet firewalld',
  'nft add chain inet firewalld filter_FORWARD { type filter hook forward priority 10 ; policy drop ; }',
];

describe('a Dom0 before its first director', () => {
  it('is fit, and nothing about it has changed when the doctor has left', async () => {
    const before = await settledDumpsOf(world);
    const report = await examined(world, await configured(`${directory}/state`));
    expect(wrong(report)).toEqual([]);
    expect(report).toMatchObject({ code: 0, fit: true });
    expect(report.findings.find(({ check }) => check === 'duplicates')?.grade).toBe('ok');
    expect(await settledDumpsOf(world)).toEqual(before);
  });

  it('is not called fit by who may not look, and not unfit either', async () => {
    const mayNothing = ['setpriv', '--bounding-set', '-all'];
    const report = await examined(world, await configured(`${directory}/state`), mayNothing);
    const blind = ['duplicates', 'firewalls', 'forward-chain', 'iptables', 'meter', 'parts'];
    const unknown = report.findings.filter(({ grade }) => grade === 'unknown');
    expect(unknown.map(({ check }) => check).toSorted()).toEqual(blind);
    expect(wrong(report).filter((line) => !line.startsWith('unknown'))).toEqual([]);
    expect(report).toMatchObject({ code: 1, fit: false });
  });

  it('that is unfit in every way is told of each, with why', async () => {
    for (const line of UNFIT) await world.must('dom0', line.split(' '));
    // Another host has mail's addresses already.
    for (const address of [`${ipv4}/32`, `${ipv6}/128`])
      await world.must('neighbour', ['ip', 'address', 'add', address, 'dev', 'eth0']);
    const report = await examined(world, await configured('/run/dom0-director'));
    const mac = (await world.must('neighbour', ['cat', '/sys/class/net/eth0/address'])).trim();
    expect(wrong(report)).toEqual(
      [
        'fault duplicates: ' + `${ipv4} is also somebody else's: ${mac} answers for it on eth0`,
        'fault duplicates: ' + `${ipv6} is also somebody else's: ${mac} answers for it on eth0`,
        'fault forward-chain: IPv4: FORWARD does not lead to DIR-FWD',
        'fault forward-chain: IPv4: FORWARD refuses everything (FORWARD: -j REJECT --reject-with icmp-port-unreachable)',
        "fault forward-chain: IPv6: FORWARD has 1 rule above the director's: -s 2001:db8:bad::/48 -j ACCEPT",
        'fault forwarding: IPv6 is off on eth0',
        'fault links: vif1.0 is on xenbr0 instead of br-mail',
        'fault mtu: vif2.0 has an MTU of 1400, and br-mail of 1300',
        'fault store: the store /run/dom0-director is on a tmpfs',
        'warning bridge-netfilter: frames inside a bridge pass iptables (bridge-nf-call-iptables)',
        'warning firewalls: Docker keeps a firewall on this host',
        'warning firewalls: firewalld keeps a firewall on this host',
        "warning forward-chain: IPv4: FORWARD's policy is DROP",
        'warning forward-chain: IPv4: FORWARD refuses some packets, which may be directed ones (DOCKER-USER: -p tcp -m tcp --dport 25 -j DROP)',
        "warning forward-chain: nft: inet firewalld's chain filter_FORWARD drops what it does not accept",
        'warning iptables: IPv4: iptables-legacy has 1 rule beside iptables-nft, which the director uses',
        'warning links: br-mail has ports that are no vif of its DomUs: stranger',
        'warning mtu: eth0 has an MTU of 1500, and br-mail of 1300',
        'warning rp-filter: reverse path filtering is strict on eth0',
      ].toSorted(),
    );
    expect(report).toMatchObject({ code: 1, fit: false });
    // Alone, the host: nothing of what only a configuration tells.
    const alone = await examined(world, []);
    expect(new Set(alone.findings.map(({ check }) => check))).not.toContain('links');
    expect(alone.code).toBe(1);
  });

  it('is mended by the commands that it was told', async () => {
    const sysctls = ['rp-filter', 'bridge-netfilter', 'forwarding'];
    const mending = new Set([...sysctls, 'links', 'mtu', 'forward-chain']);
    const config = await configured(`${directory}/state`);
    // A command may bring to light what stood behind what it mended.
    for (let round = 0; round < 4; round++) {
      const { findings } = await examined(world, config);
      const commands = findings
        .filter(
          ({ check, command }) => mending.has(check) && command !== null && !/ -nvL | list /.test(command),
        )
        .map(({ command }) => command);
      if (commands.length === 0) break;
      for (const command of commands) await world.must('dom0', ['sh', '-c', command ?? '']);
    }
    const left = wrong(await examined(world, config));
    expect(left.filter((line) => sysctls.some((each) => line.includes(` ${each}:`)))).toEqual([]);
    expect(left.filter((line) => /^\w+ (links|mtu)|^fault forward/.test(line))).toEqual([]);
  });

  it('with a configuration that is wrong is looked at all the same', async () => {
    const file = `${directory}/wrong.yaml`;
    await writeFile(file, 'uplink: 7\n');
    const report = await examined(world, ['--config', file]);
    expect(wrong(report)[0]).toBe(`fault config: ${file} is wrong, so only the host was looked at`);
    expect(report.findings.some(({ check }) => check === 'forwarding')).toBe(true);
  });
});

/** ldap-b has been made from ldap-a, and kept its address. */
async function tellsOfClone({ world: dom0, directory: own }: DirectedWorld): Promise<void> {
  const macOf = async (domu: string) =>
    (await dom0.must(domu, ['cat', '/sys/class/net/eth0/address'])).trim();
  const macs = [await macOf('ldap-a'), await macOf('ldap-b')].toSorted();
  const address = dom0.domu('ldap-a').ipv4;
  await dom0.must('ldap-b', ['ip', 'address', 'add', `${address}/32`, 'dev', 'eth0']);
  expect(wrong(await examined(dom0, ['--config', `${own}/director.yaml`]))).toEqual([
    `fault duplicates: ${address} is a DomU’s, and ${macs.join(' and ')} answer for it on br-ldap`,
  ]);
}

describe('a directed host', () => {
  it('is fit, says the doctor, and so do the daemon’s metrics, until a clone has another’s address', async () => {
    const state = `${directory}/directed`;
    const directed = await directedWorld({ bridgeNetfilter: false, config: { top: { state } } });
    try {
      await filterLoosely(directed.world);
      const before = await settledDumpsOf(directed.world);
      const report = await examined(directed.world, ['--config', `${directed.directory}/director.yaml`]);
      expect(wrong(report)).toEqual([]);
      expect(report).toMatchObject({ code: 0, fit: true });
      expect(await settledDumpsOf(directed.world)).toEqual(before);
      const value = async (check: string, grade: string) =>
        (await Metrics.of(directed.daemon.socket)).value('doctor_findings', { check, grade });
      await expect.poll(() => value('links', 'ok'), { timeout: 20_000 }).toBe(1);
      for (const { check } of report.findings.filter((found) => WATCHED.includes(found.check)))
        expect([check, await value(check, 'fault'), await value(check, 'unknown')]).toEqual([check, 0, 0]);
      await tellsOfClone(directed);
    } finally {
      await directed.end();
    }
  }, 60_000);
});

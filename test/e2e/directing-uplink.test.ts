import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { configText } from '../../src/lab/config-file.ts';
import { Daemon } from '../../src/lab/daemon.ts';
import { DOM0, labServices } from '../../src/lab/topology.ts';
import { World } from '../../src/lab/world.ts';
import { DIRECTOR, LAB_SCRIPTS } from './support/scripts.ts';
import { aims, expected, reachOf } from './support/reach.ts';

const PORTS = ['389/tcp', '389/udp'] as const;
/** mail is announced; ldap is routed to the Dom0 already. */
const [MAIL, LDAP] = ['mail', 'ldap'];

describe('the uplink', () => {
  let world: World;
  let daemon: Daemon;
  let directory: string;
  let uplinkMac: string;
  let addressesBefore: string;
  const heard: string[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'director-e2e-'));
    world = await World.create({ services: labServices(2), scripts: LAB_SCRIPTS });
    await world.serveAll();
    await routeLdapHere();
    uplinkMac = (await world.must('dom0', ['cat', '/sys/class/net/eth0/address'])).trim();
    addressesBefore = await addressesOfUplink();
    await listen();
    daemon = new Daemon(world, { directory, directorArgv: DIRECTOR });
    await mkdir(`${directory}/state`);
    await writeFile(daemon.configFile, configWithoutAnnouncingLdap());
    await daemon.start();
    await daemon.healthy();
  }, 60_000);
  afterAll(async () => {
    await world.destroy();
    await rm(directory, { recursive: true, force: true });
  });

  const addressesOfUplink = (): Promise<string> =>
    world.must('dom0', ['ip', '-o', 'address', 'show', 'dev', 'eth0']);

  async function routeLdapHere(): Promise<void> {
    const { ipv4, ipv6 } = world.service(LDAP);
    for (const router of ['outside', 'neighbour']) {
      await world.must(router, ['ip', 'route', 'add', ipv4, 'via', DOM0.ipv4]);
      await world.must(router, ['ip', 'route', 'add', ipv6, 'via', DOM0.ipv6]);
    }
  }

  function configWithoutAnnouncingLdap(): string {
    const config = parse(configText(world.services, { directory })) as {
      services: Record<string, Record<string, unknown>>;
    };
    const ldap = { ...config.services[LDAP], announce: false };
    return stringify({ ...config, services: { ...config.services, [LDAP]: ldap } });
  }

  /** Resolves when the neighbour captures; what it hears goes into `heard`. */
  async function listen(): Promise<void> {
    const tcpdump = world.spawn('neighbour', [
      ...['tcpdump', '-i', 'eth0', '-n', '-e', '-l', '-Z', 'root', '--immediate-mode'],
      'arp or icmp6',
    ]);
    tcpdump.onLine((line) => heard.push(line));
    await vi.waitFor(() => expect(tcpdump.stderr).toContain('listening on eth0'), 15_000);
  }

  const announcements = (address: string): string[] =>
    heard.filter(
      (line) =>
        line.includes(`tell ${address},`) ||
        line.includes(`Reply ${address} is-at`) ||
        line.includes(`tgt is ${address},`),
    );

  it('tells the neighbours of each address that is announced, unasked, with the uplink as its place (keepalived#166)', async () => {
    const { ipv4, ipv6 } = world.service(MAIL);
    await expect
      .poll(() => [announcements(ipv4).length > 0, announcements(ipv6).length > 0], { timeout: 10_000 })
      .toEqual([true, true]);
    for (const line of announcements(ipv4)) {
      expect(line).toContain(`${uplinkMac} > ff:ff:ff:ff:ff:ff`);
      expect(line).toMatch(new RegExp(`(who-has|Reply) ${ipv4}`));
    }
    for (const line of announcements(ipv6)) {
      expect(line).toContain(`${uplinkMac} > 33:33:00:00:00:01`);
      expect(line).toContain('neighbor advertisement');
    }
  });

  it('tells them again when the address had been taken away', async () => {
    const { ipv4, ipv6 } = world.service(MAIL);
    heard.length = 0;
    await world.must('dom0', ['ip', 'address', 'del', `${ipv4}/32`, 'dev', 'eth0']);
    await world.must('dom0', ['ip', 'address', 'del', `${ipv6}/128`, 'dev', 'eth0']);
    await expect
      .poll(() => [announcements(ipv4).length > 0, announcements(ipv6).length > 0], { timeout: 20_000 })
      .toEqual([true, true]);
  });

  it('has nothing of a service that is not announced, which is directed all the same', async () => {
    const { ipv4, ipv6 } = world.service(LDAP);
    const clients = ['customer', 'neighbour', 'dom0', 'mail-a'];
    const ports = aims(LDAP, PORTS);
    expect(await reachOf(world, clients, ports)).toEqual(expected(world, clients, ports, 'ldap-a'));
    expect([...announcements(ipv4), ...announcements(ipv6)]).toEqual([]);
    const mail = world.service(MAIL);
    const now = (await addressesOfUplink()).split('\n');
    const own = now.filter((line) => line.includes(` ${mail.ipv4}/`) || line.includes(` ${mail.ipv6}/`));
    expect(own).toHaveLength(2);
    expect(now.filter((line) => !own.includes(line)).join('\n')).toBe(addressesBefore);
  });
});

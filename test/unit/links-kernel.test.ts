import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bridgeMac } from '../../src/kernel/links/bridge-mac.ts';
import { LinkClient, isOurBridge } from '../../src/kernel/links/client.ts';
import { OUR_METRIC } from '../../src/kernel/links/codec.ts';
import type { AddressRecord } from '../../src/kernel/links/codec.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { NETLINK_ROUTE, NetlinkConnection } from '../../src/kernel/netlink/connection.ts';
import { KernelError } from '../../src/lib/errors.ts';
import { readSysctl, writeSysctl } from '../../src/kernel/sysctl.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { BRIDGE_NETFILTER } from '../../src/plan/links.ts';
import { ip, requirePrivateNamespace, tool } from './links-private-namespace.ts';

const connection = NetlinkConnection.open(NETLINK_ROUTE);
const client = new LinkClient(connection);

beforeAll(requirePrivateNamespace);
afterEach(async () => {
  const names = (await client.links()).map(({ name }) => name).filter((name) => name.startsWith('lk'));
  // A veth takes its peer with it.
  for (const name of names) if ((await client.find(name)) !== null) ip(`link delete ${name}`);
});
afterAll(() => connection.close());

const gateway = { family: 4, address: '10.50.0.1', prefix: 24 } as const;
const service4 = { family: 4, address: '192.0.2.25', prefix: 32 } as const;
const service6 = { family: 6, address: '2001:db8::25', prefix: 128 } as const;

const rethrow = (error: unknown): never => {
  throw error;
};

async function addressesOn(name: string): Promise<AddressRecord[]> {
  const link = await client.find(name);
  const all = await client.addresses();
  return all.filter(
    ({ linkIndex, address }) => linkIndex === link?.index && !address.address.startsWith('fe80'),
  );
}

/** Only what crosses bridges under these keys is shown to iptables or ip6tables. */
async function showBridges(...keys: readonly string[]): Promise<void> {
  for (const key of BRIDGE_NETFILTER) await writeSysctl(key, keys.includes(key) ? '1' : '0');
}

function hairpin(name: string): boolean {
  const [link] = JSON.parse(ip(`-d -j link show ${name}`)) as [
    { linkinfo: { info_slave_data: { hairpin: boolean } } },
  ];
  return link.linkinfo.info_slave_data.hairpin;
}

describe('bridges', () => {
  test('A bridge that was added is ours, up, without spanning tree or delay, and may be added again', async () => {
    await client.addBridge('lkbr');
    await client.addBridge('lkbr');
    const link = await client.find('lkbr');
    expect(link).toMatchObject({ kind: 'bridge', up: true, alias: 'dom0-director', mac: bridgeMac('lkbr') });
    const [details] = JSON.parse(ip('-d -j link show lkbr')) as [{ linkinfo: { info_data: object } }];
    expect(details.linkinfo.info_data).toMatchObject({ forward_delay: 0, stp_state: 0 });
  });

  test('The bridge’s address stays as vifs come and go', async () => {
    await client.addBridge('lkbr');
    ip('link add lk1 address 02:00:00:00:00:01 type veth peer name lkp1');
    await client.addMember('lkbr', 'lk1');
    expect((await client.find('lkbr'))?.mac).toBe(bridgeMac('lkbr'));
    ip('link delete lk1');
    expect((await client.find('lkbr'))?.mac).toBe(bridgeMac('lkbr'));
  });

  test('One whose maker died before giving it the alias is ours all the same, and gets it', async () => {
    ip(`link add lkbr address ${bridgeMac('lkbr')} type bridge`);
    expect((await client.links()).filter(isOurBridge)).toHaveLength(1);
    await client.setBridgeUp('lkbr');
    expect(await client.find('lkbr')).toMatchObject({ alias: 'dom0-director', up: true });
  });

  test('A bridge of somebody else is adopted as it is, and not deleted', async () => {
    ip('link add lkbr address 02:00:00:00:00:09 type bridge');
    ip('link set lkbr alias somebody');
    await client.addBridge('lkbr');
    expect(await client.find('lkbr')).toMatchObject({
      alias: 'somebody',
      mac: '02:00:00:00:00:09',
      up: true,
    });
    await expect(client.deleteBridge('lkbr')).rejects.toMatchObject({ code: 'EPERM' });
    expect(await client.find('lkbr')).not.toBeNull();
  });

  test('An interface of that name that is no bridge is refused', async () => {
    ip('link add lkbr type veth peer name lkp1');
    await expect(client.addBridge('lkbr')).rejects.toMatchObject({ code: 'EEXIST' });
  });

  test('Ours is deleted, and deleting what is absent is fine', async () => {
    await client.addBridge('lkbr');
    await client.deleteBridge('lkbr');
    await client.deleteBridge('lkbr');
    expect(await client.find('lkbr')).toBeNull();
  });

  test('A name that no interface can have reaches no kernel', async () => {
    await expect(client.addBridge('br mail')).rejects.toMatchObject({ code: 'EINVAL' });
  });
});

describe('members', () => {
  test('A vif is put on its bridge, off another, and up; taking it off is done once', async () => {
    await client.addBridge('lkbr');
    await client.addBridge('lkbr2');
    ip('link add lk1 type veth peer name lkp1');
    await client.addMember('lkbr2', 'lk1');
    await client.addMember('lkbr', 'lk1');
    await client.addMember('lkbr', 'lk1');
    const bridge = await client.find('lkbr');
    expect(await client.find('lk1')).toMatchObject({ masterIndex: bridge?.index, up: true });
    await client.removeMember('lkbr2', 'lk1');
    expect((await client.find('lk1'))?.masterIndex).toBe(bridge?.index);
    await client.removeMember('lkbr', 'lk1');
    await client.removeMember('lkbr', 'lk1');
    expect((await client.find('lk1'))?.masterIndex).toBeNull();
  });

  test.each(BRIDGE_NETFILTER)('A vif is put in hairpin mode where %s shows bridges to rules', async (key) => {
    await showBridges(key);
    await client.addBridge('lkbr');
    await client.addBridge('lkbr2');
    ip('link add lk1 type veth peer name lkp1');
    for (const bridge of ['lkbr', 'lkbr2', 'lkbr2']) {
      await client.addMember(bridge, 'lk1');
      expect(hairpin('lk1')).toBe(true);
      expect(await client.find('lk1')).toMatchObject({ hairpin: true, up: true });
    }
  });

  test('A vif that is on its bridge already is put in hairpin mode when that is needed, and stays so', async () => {
    await showBridges();
    await client.addBridge('lkbr');
    ip('link add lk1 type veth peer name lkp1');
    await client.addMember('lkbr', 'lk1');
    expect(hairpin('lk1')).toBe(false);
    expect(await client.find('lk1')).toMatchObject({ hairpin: false });
    await showBridges(...BRIDGE_NETFILTER);
    await client.addMember('lkbr', 'lk1');
    expect(hairpin('lk1')).toBe(true);
    await showBridges();
    await client.addMember('lkbr', 'lk1');
    expect(hairpin('lk1')).toBe(true);
  });

  test('A vif or bridge that does not exist is ENOENT', async () => {
    await client.addBridge('lkbr');
    await expect(client.addMember('lkbr', 'lk1')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(client.addMember('lkbr9', 'lkbr')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a kernel that shows bridges to iptables', () => {
  const kernel = LinuxKernel.open({ variant: 'nft', jumps: [], clock: systemClock, onError: rethrow });
  const members = async (): Promise<unknown> =>
    (await kernel.observe({ links: [], sysctls: [] })).bridges.map((bridge) => bridge.members);
  afterAll(() => kernel.close());

  beforeEach(async () => {
    await showBridges();
    await client.addBridge('lkbr');
    ip('link add lk1 type veth peer name lkp1');
    await client.addMember('lkbr', 'lk1');
  });

  test('has only members in hairpin mode; one that does not has any', async () => {
    expect(await members()).toEqual([['lk1']]);
    await showBridges(...BRIDGE_NETFILTER);
    expect(await members()).toEqual([[]]);
    await kernel.apply({ kind: 'member-add', bridge: 'lkbr', link: 'lk1', why: 'it lacks hairpin mode' });
    expect(await members()).toEqual([['lk1']]);
  });

  test('has another fingerprint when it begins to, and when a port loses its hairpin mode', async () => {
    const print = async (): Promise<string> => (await kernel.fingerprint(BRIDGE_NETFILTER)).rest;
    const another = async (than: string): Promise<string> => {
      await expect.poll(print, { timeout: 5000, interval: 20 }).not.toBe(than);
      return print();
    };
    // The first ones are another way of looking's.
    await expect.poll(print, { timeout: 5000, interval: 20 }).toMatch(/^told/);
    const before = await print();
    await showBridges(...BRIDGE_NETFILTER);
    const shown = await another(before);
    await client.addMember('lkbr', 'lk1');
    const member = await another(shown);
    tool('bridge', 'link', 'set', 'dev', 'lk1', 'hairpin', 'off');
    await another(member);
  });
});

describe('addresses', () => {
  test('Both families are added once, as ours, and deleted', async () => {
    await client.addBridge('lkbr');
    for (const address of [gateway, service4, service6]) {
      expect(await client.addAddress('lkbr', address)).toBe(true);
      expect(await client.addAddress('lkbr', address)).toBe(false);
    }
    const found = await addressesOn('lkbr');
    expect(found.map(({ address }) => address)).toEqual([gateway, service4, service6]);
    expect(found.every(({ metric }) => metric === OUR_METRIC)).toBe(true);
    for (const { address } of found) await client.deleteAddress('lkbr', address);
    for (const { address } of found) await client.deleteAddress('lkbr', address);
    expect(await addressesOn('lkbr')).toEqual([]);
  });

  test('An IPv6 service address answers at once, and is never the source of what the host itself sends', async () => {
    ip('link add lk0 type veth peer name lk1');
    ip('link set lk0 up');
    ip('link set lk1 up');
    ip('address add 2001:db8::1/64 dev lk0 nodad');
    await client.addAddress('lk0', service6);
    expect(ip('-6 address show dev lk0')).not.toMatch(/2001:db8::25\S* .*tentative/);
    expect(ip('-6 route get 2001:db8::77')).toContain('src 2001:db8::1 ');
  });

  test('An address of the host is adopted: neither changed nor taken away', async () => {
    await client.addBridge('lkbr');
    ip('address add 192.0.2.25/32 dev lkbr');
    expect(await client.addAddress('lkbr', service4)).toBe(false);
    expect((await addressesOn('lkbr'))[0]?.metric).toBe(0);
    await expect(client.deleteAddress('lkbr', service4)).rejects.toMatchObject({ code: 'EPERM' });
    expect(await addressesOn('lkbr')).toHaveLength(1);
  });

  test('Deleting ours leaves the host’s address in the same network', async () => {
    await client.addBridge('lkbr');
    await client.addAddress('lkbr', gateway);
    ip('address add 10.50.0.9/24 dev lkbr');
    await writeSysctl('net/ipv4/conf/lkbr/promote_secondaries', '0');
    await writeSysctl('net/ipv4/conf/all/promote_secondaries', '0');
    await client.deleteAddress('lkbr', gateway);
    expect((await addressesOn('lkbr')).map(({ address }) => address.address)).toEqual(['10.50.0.9']);
    expect(readSysctl('net/ipv4/conf/lkbr/promote_secondaries')).toBe('0');
  });

  test('A link that does not exist is ENOENT; where IPv6 is off the error says so', async () => {
    await expect(client.addAddress('lk9', service4)).rejects.toMatchObject({ code: 'ENOENT' });
    await client.addBridge('lkbr');
    await writeSysctl('net/ipv6/conf/lkbr/disable_ipv6', '1');
    await expect(client.addAddress('lkbr', service6)).rejects.toMatchObject({
      code: 'EACCES',
      hint: expect.stringContaining('disable_ipv6') as string,
    });
  });
});

describe('sysctls', () => {
  test('What was written reads back; interface names may contain dots', async () => {
    ip('link add lk1.0 type veth peer name lkp1');
    await writeSysctl('net/ipv4/conf/lk1.0/forwarding', '1');
    expect(readSysctl('net/ipv4/conf/lk1.0/forwarding')).toBe('1');
    await writeSysctl('net/ipv4/conf/lk1.0/forwarding', '0');
    expect(readSysctl('net/ipv4/conf/lk1.0/forwarding')).toBe('0');
  });

  test('An absent key reads as null and cannot be written', async () => {
    expect(readSysctl('net/ipv4/conf/lk9/forwarding')).toBeNull();
    await expect(writeSysctl('net/ipv4/conf/lk9/forwarding', '1')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test.each(['../etc/passwd', 'net/../kernel/hostname', 'kernel/hostname', 'net/ipv4//ip_forward', ''])(
    'A key that is none of the network is refused: %s',
    async (key) => {
      expect(() => readSysctl(key)).toThrow(KernelError);
      await expect(writeSysctl(key, '1')).rejects.toMatchObject({ code: 'EINVAL' });
    },
  );
});

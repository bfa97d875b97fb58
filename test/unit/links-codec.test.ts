import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KernelError } from '../../src/lib/errors.ts';
import { bridgeMac } from '../../src/kernel/links/bridge-mac.ts';
import {
  OUR_METRIC,
  decodeAddress,
  decodeLink,
  encodeDeleteAddress,
  encodeNewAddress,
  encodeSetHairpin,
} from '../../src/kernel/links/codec.ts';

/**
 * The kernel's answers to RTM_GETLINK (shortened by what we do not read) and RTM_GETADDR, on Linux 6.18, after
 * `ip link add br-mail type bridge`, its alias, `ip link set vif1.0 master br-mail` and
 * `ip address add 10.50.0.1/24 dev br-mail metric 53713` and so on; HAIRPIN after
 * `bridge link set dev vif1.0 hairpin on`.
 */
const BRIDGE =
  '00000100020000000310000000000000' + // ifinfomsg: index 2, up
  '0c00030062722d6d61696c00' + // IFLA_IFNAME br-mail
  '08000d00e8030000' + // IFLA_TXQLEN
  '08000400dc050000' + // IFLA_MTU 1500
  '12001400646f6d302d6469726563746f72000000' + // IFLA_IFALIAS
  '0a00010002112233445500000a000200ffffffffffff0000' + // IFLA_ADDRESS, IFLA_BROADCAST
  '180012000b000100627269646765000008000200040001 00'.replace(' ', ''); // IFLA_LINKINFO { bridge, data }
const VIF =
  '00000100040000000210000000000000' +
  '0b000300766966312e300000' +
  '08000400dc050000' +
  '08000a0002000000' + // IFLA_MASTER 2
  '0a0001006eebc380d9060000' +
  '10001200090001007665746800000000'; // IFLA_LINKINFO { veth }
const HAIRPIN = (mode: '00' | '01', master = '627269646765'): string =>
  '00000100040000000210000000000000' +
  '0b000300766966312e300000' +
  '08000a0002000000' + // IFLA_MASTER 2
  '40001200090001007665746800000000' + // IFLA_LINKINFO { veth,
  `0b000400${master}0000` + // IFLA_INFO_SLAVE_KIND bridge
  '24000500050001000000000006000200200000000800030002000000' + // IFLA_INFO_SLAVE_DATA { state, priority, cost,
  `05000400${mode}000000`; // IFLA_BRPORT_MODE } }
const OURS =
  '0218800002000000080001000a320001080002000a3200010c00030062722d6d61696c00080008008000000008000900d1d1000014000600ffffffffffffffffa0c20300a0c20300';
const SECONDARY =
  '0218810002000000080001000a320009080002000a3200090c00030062722d6d61696c00080008008100000014000600ffffffffffffffffa0c20300a0c20300';
const WITH_PEER =
  '0220800002000000080001000a3c0002080002000a3c00010c00030062722d6d61696c00080008008000000014000600ffffffffffffffffa0c20300a0c20300';
const IPV6 =
  '0a4082000200000014000100fd00005000000000000000000000000108000900d1d1000014000600ffffffffffffffffa0c20300a0c203000800080082000000';
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

describe('links', () => {
  test('A bridge tells its alias, address and kind', () => {
    expect(decodeLink(bytes(BRIDGE))).toEqual({
      index: 2,
      name: 'br-mail',
      mac: '02:11:22:33:44:55',
      up: true,
      masterIndex: null,
      mtu: 1500,
      alias: 'dom0-director',
      kind: 'bridge',
      hairpin: false,
    });
  });

  test('A member tells its bridge', () => {
    expect(decodeLink(bytes(VIF))).toMatchObject({ name: 'vif1.0', up: false, masterIndex: 2, kind: 'veth' });
  });

  test('A bridge’s port tells whether it is in hairpin mode', () => {
    expect(decodeLink(bytes(HAIRPIN('01')))).toMatchObject({ kind: 'veth', masterIndex: 2, hairpin: true });
    expect(decodeLink(bytes(HAIRPIN('00')))).toMatchObject({ kind: 'veth', masterIndex: 2, hairpin: false });
  });

  test('What another master says of its port under the same number is no hairpin mode', () => {
    const vlan = Buffer.from('brvlan').toString('hex');
    expect(decodeLink(bytes(HAIRPIN('01', vlan)))).toMatchObject({ hairpin: false });
  });

  test('Hairpin mode is asked for in the bytes that bridge(8) sends', () => {
    expect(encodeSetHairpin(4).toString('hex')).toBe(
      '07000000040000000000000000000000' + // ifinfomsg: AF_BRIDGE, index 4
        '0c000c800500040001000000', // IFLA_PROTINFO, nested { IFLA_BRPORT_MODE 1 }
    );
  });

  test('A bridge’s address depends on its name alone, is unicast and locally administered', () => {
    expect(bridgeMac('br-mail')).toBe(bridgeMac('br-mail'));
    expect(bridgeMac('br-mail')).not.toBe(bridgeMac('br-ldap'));
    fc.assert(fc.property(fc.string(), (name) => (parseInt(bridgeMac(name).slice(0, 2), 16) & 3) === 2));
  });
});

describe('addresses', () => {
  test('Ours are told by their metric, in both families', () => {
    expect(decodeAddress(bytes(OURS))).toEqual({
      linkIndex: 2,
      address: { family: 4, address: '10.50.0.1', prefix: 24 },
      metric: OUR_METRIC,
      secondary: false,
    });
    expect(decodeAddress(bytes(IPV6))).toMatchObject({
      address: { family: 6, address: 'fd00:50::1', prefix: 64 },
      metric: OUR_METRIC,
    });
  });

  test('The host’s own have none; a secondary is known as such', () => {
    expect(decodeAddress(bytes(SECONDARY))).toMatchObject({ metric: 0, secondary: true });
  });

  test('Of an address with a peer the local one is told', () => {
    expect(decodeAddress(bytes(WITH_PEER))?.address.address).toBe('10.60.0.1');
  });

  test('What is asked for reads back as what it was', () => {
    const address = { family: 6, address: '2001:db8::25', prefix: 128 } as const;
    expect(decodeAddress(encodeNewAddress(7, address))).toEqual({
      linkIndex: 7,
      address,
      metric: OUR_METRIC,
      secondary: false,
    });
    expect(decodeAddress(encodeDeleteAddress(7, address))?.address).toEqual(address);
  });
});

test('Bytes that are no answer are a KernelError and nothing else', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(decodeLink, decodeAddress),
      (random, decode) => {
        try {
          decode(Buffer.from(random));
        } catch (error) {
          expect(error).toBeInstanceOf(KernelError);
        }
      },
    ),
  );
});

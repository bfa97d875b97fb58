import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { guestNetwork } from '../../src/guest/guest-network.ts';
import { guestMacs, macKey } from '../../src/guest/macs.ts';
import { vifLine } from '../../src/guest/vif-line.ts';
import type { InterfaceAddress } from '../../src/model/address.ts';
import type { Domu, Service } from '../../src/model/service.ts';
import { mailService } from './support/director-double.ts';

const GATEWAY: InterfaceAddress[] = [
  { family: 4, address: '10.50.0.1', prefix: 24 },
  { family: 6, address: 'fd00:50::1', prefix: 64 },
];

function mail(change: Partial<Domu> = {}): Service {
  const service = mailService();
  const [a, b] = service.domus;
  const domus = [a, { ...b, vifs: ['vif-mail-b'], ...change }] as const;
  return { ...service, bridge: { name: 'br-mail', gateway: GATEWAY }, domus };
}

const of = (service: Service, name?: string) => guestNetwork([service], service, 'mail-b', name);
const bare = (name: string, ...domus: [string, string]) => ({
  name,
  domus: domus.map((domu) => ({ name: domu, addresses: [], vifs: [] })) as unknown as [Domu, Domu],
});

test('a secondary is a copy and a paste: its vif line, and both ways of its guest to be told', () => {
  expect(of(mail())).toEqual({
    service: 'mail',
    domu: 'mail-b',
    bridge: 'br-mail',
    vifs: [{ name: 'vif-mail-b', mac: '00:16:3e:90:44:79', ip: ['10.50.0.3'] }],
    addresses: ['10.50.0.3/24', 'fd00:50::3/64'],
    gateways: ['10.50.0.1', 'fd00:50::1'],
    xl: "vif = [ 'mac=00:16:3e:90:44:79,bridge=br-mail,vifname=vif-mail-b,ip=10.50.0.3' ]",
    interfaces: `auto enX0
iface enX0 inet static
    address 10.50.0.3/24
    gateway 10.50.0.1
iface enX0 inet6 static
    address fd00:50::3/64
    gateway fd00:50::1
    accept_ra 0
    autoconf 0
`,
    networkd: `[Match]
MACAddress=00:16:3e:90:44:79

[Network]
Address=10.50.0.3/24
Gateway=10.50.0.1
Address=fd00:50::3/64
Gateway=fd00:50::1
IPv6AcceptRA=no
`,
    notes: [],
  });
});

test('a guest of IPv6 alone has no ip for the hotplug script, which knows only IPv4', () => {
  const network = of(mail({ addresses: [{ family: 6, text: 'fd00:50::3' }] }), 'eth0');
  expect(network?.xl).not.toContain('ip=');
  expect(network?.interfaces).toMatch(/^auto eth0\niface eth0 inet6 static\n {4}address fd00:50::3\/64\n/);
});

test('each further address is one of the interface; the gateway is told once', () => {
  const addresses = ['10.50.0.3', '10.50.0.4'].map((text) => ({ family: 4 as const, text }));
  const network = of(mail({ addresses }));
  expect(network?.xl).toContain("ip=10.50.0.3 10.50.0.4'");
  expect(network?.interfaces).toContain('iface enX0 inet static\n    address 10.50.0.4/24\n');
  expect(network?.interfaces.match(/gateway/g)).toHaveLength(1);
});

test('a vif without a name, and one with a name that Xen gives to others, are said to be none', () => {
  expect(of(mail({ vifs: [] }))?.xl).not.toContain('vifname');
  expect(of(mail({ vifs: [] }))?.notes.join()).toMatch(/vifs: \[vif-mail-b\]/);
  expect(of(mail({ vifs: ['vif2.0'] }))?.notes.join()).toMatch(/^vif2\.0 is what Xen itself/);
});

test('two vifs are two specifications with MACs of their own', () => {
  const [line = ''] = [of(mail({ vifs: ['one', 'two'] }))?.xl];
  expect(line).toMatch(/^vif = \[ '[^']*vifname=one[^']*', '[^']*vifname=two[^']*' \]$/);
  expect(new Set(line.match(/mac=[0-9a-f:]{17}/g)).size).toBe(2);
});

test('a DomU of another service is none of this one', () => {
  expect(guestNetwork([mail()], mail(), 'ldap-b')).toBeNull();
});

describe('the vif line', () => {
  const vif = { name: null, mac: '00:16:3e:80:00:00', bridge: 'br', ip: [] };
  it('holds what cannot break out of it, or is not written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (bridge) => {
        let line: string;
        try {
          line = vifLine([{ ...vif, bridge }]);
        } catch (error) {
          expect(String(error)).toMatch(/cannot stand in an xl configuration/);
          return;
        }
        expect(line).toMatch(/^vif = \[ 'mac=[0-9a-f:]{17},bridge=[\w.:-]+' \]$/);
      }),
      { numRuns: 300 },
    );
    for (const bridge of ["x', 'y", 'x,script=/bin/sh', 'x\nextra="y"', 'x\\', '', '-x', 'x y'])
      expect(() => vifLine([{ ...vif, bridge }])).toThrow();
  });
});

describe('MAC addresses', () => {
  /** 2^23 are there: among 20,000 names about 24 pairs meet. */
  const many = Array.from({ length: 10_000 }, (_, i) => bare(`s${i}`, `s${i}-a`, `s${i}-b`));

  it('are unicast ones of Xen, out of what xl makes up, and all different', () => {
    const macs = [...guestMacs(many).values()];
    expect(new Set(macs).size).toBe(20_000);
    for (const mac of macs) if (!/^00:16:3e:[89a-f][\da-f](:[\da-f]{2}){2}$/.test(mac)) expect(mac).toBe('');
  });

  it('do not change where services are added at the end, and hardly where they are left out', () => {
    const all = guestMacs(many);
    const fewer = guestMacs(many.slice(0, 5000));
    for (const [key, mac] of fewer) if (all.get(key) !== mac) expect(key).toBe('');
    const alone = many.flatMap((one) => [...guestMacs([one])]);
    const moved = alone.filter(([key, mac]) => all.get(key) !== mac).length;
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThan(100);
  });

  it('are those of the names, for good', () => {
    expect(guestMacs([bare('mail', 'mail-a', 'mail-b')]).get(macKey('mail', 'mail-b', 0))).toBe(
      '00:16:3e:90:44:79',
    );
  });
});

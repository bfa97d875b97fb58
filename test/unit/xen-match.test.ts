import { expect, test } from 'vitest';
import { guestMacs, macKey } from '../../src/guest/macs.ts';
import type { Domu, Service } from '../../src/model/service.ts';
import { domainNamed } from '../../src/xen/hypervisor.ts';
import type { Domain, DomainVif } from '../../src/xen/hypervisor.ts';
import { guestKey, matchGuests } from '../../src/xen/match.ts';
import { mailService } from './support/director-double.ts';

const MAC = '00:16:3e:aa:bb:cc';
const OTHER = '00:16:3e:00:00:01';

function mail(a: Partial<Domu> = {}, b: Partial<Domu> = {}): Service {
  const service = mailService();
  const [first, second] = service.domus;
  return {
    ...service,
    domus: [
      { ...first, vifs: [], ...a },
      { ...second, vifs: [], ...b },
    ],
  };
}

const vif = (name: string, more: Partial<DomainVif> = {}): DomainVif => ({
  device: 0,
  name,
  mac: OTHER,
  bridge: null,
  connected: true,
  ...more,
});

const domain = (name: string, domid: number, ...vifs: DomainVif[]): Domain => ({
  name,
  domid,
  state: 'running',
  vifs,
});

function vifsOf(service: Service, domu: string, ...domains: Domain[]): readonly string[] | undefined {
  return matchGuests([service], domains).get(guestKey('mail', domu))?.vifs;
}

test("a vif is found by the guest's MAC, whatever the number of its domain and the bridge it names", () => {
  const service = mail({ macs: [MAC] });
  for (const domid of [1, 7]) {
    const name = `vif${domid}.0`;
    expect(
      vifsOf(service, 'mail-a', domain('mail-a', domid, vif(name, { mac: MAC, bridge: 'br-x' }))),
    ).toEqual([name]);
  }
});

test('a vif with the MAC that `director vif` gives out needs no line in the configuration', () => {
  const service = mail();
  const mac = guestMacs([service]).get(macKey('mail', 'mail-b', 0))!;
  expect(vifsOf(service, 'mail-b', domain('mail-b', 3, vif('vif3.0', { mac })))).toEqual(['vif3.0']);
});

test("one that the configuration names as Xen does is the domain's vif with that device number", () => {
  const service = mail({ vifs: ['vif1.1'] });
  const there = domain('mail-a', 7, vif('vif7.0'), vif('vif7.1', { device: 1 }));
  expect(vifsOf(service, 'mail-a', there)).toEqual(['vif7.1']);
});

test("a number that is another guest's by now is left to that guest", () => {
  const service = mail({ vifs: ['vif1.0'] });
  expect(
    vifsOf(service, 'mail-a', domain('ldap-a', 1, vif('vif1.0')), domain('mail-a', 2, vif('vif2.0'))),
  ).toEqual(['vif2.0']);
  const swapped = [domain('mail-b', 1, vif('vif1.0')), domain('mail-a', 2, vif('vif2.0'))];
  const both = mail({ vifs: ['vif1.0'] }, { vifs: ['vif2.0'] });
  expect(vifsOf(both, 'mail-a', ...swapped)).toEqual(['vif2.0']);
  expect(vifsOf(both, 'mail-b', ...swapped)).toEqual(['vif1.0']);
});

test("a guest's vifs for other networks stay where they are", () => {
  const service = mail({ macs: [MAC] });
  const there = domain(
    'mail-a',
    4,
    vif('vif4.0', { mac: MAC }),
    vif('vif4.1', { device: 1, bridge: 'br-backup' }),
    vif('vif4.2', { device: 2, mac: '00:16:3e:00:00:02', bridge: service.bridge.name }),
  );
  expect(vifsOf(service, 'mail-a', there)).toEqual(['vif4.0', 'vif4.2']);
});

test('a name of the configuration counts where Xen knows nothing of the guest, and before its vif has it', () => {
  const service = mail({ vifs: ['vif-mail-a'] });
  expect(vifsOf(service, 'mail-a')).toEqual(['vif-mail-a']);
  // Called otherwise in Xen: what was found by name before Xen was asked still is.
  expect(vifsOf(service, 'mail-a', domain('m1', 4, vif('vif-mail-a')))).toEqual(['vif-mail-a']);
  const old = mail({ vifs: ['vif4.0'] });
  expect(vifsOf(old, 'mail-a', domain('m1', 4, vif('vif4.0')))).toEqual(['vif4.0']);
  // Xen's script is about to rename it, which fails where somebody has set it up by then.
  expect(vifsOf(old, 'mail-a', domain('m1', 4, vif('vif-m1')))).toEqual([]);
});

test("a vif that Xen's script is not done with is the script's, whoever names it", () => {
  const service = mail({ vifs: ['vif-mail-a'], macs: [MAC] });
  const early = vif('vif-mail-a', { mac: MAC, connected: false });
  expect(vifsOf(service, 'mail-a', domain('mail-a', 4, early))).toEqual([]);
  expect(vifsOf(service, 'mail-a', domain('m1', 4, early))).toEqual([]);
  expect(vifsOf(service, 'mail-a', domain('mail-a', 4, { ...early, connected: true }))).toEqual([
    'vif-mail-a',
  ]);
});

test('a DomU may be called otherwise in Xen', () => {
  const service = mail({ domain: 'mx1', macs: [MAC] });
  const found = matchGuests([service], [domain('mx1', 9, vif('vif9.0', { mac: MAC }))]);
  expect(found.get(guestKey('mail', 'mail-a'))).toMatchObject({ domain: { domid: 9 }, vifs: ['vif9.0'] });
});

test('a guest that is just coming from another host has its vif on the bridge before it has its name', () => {
  const service = mail({ macs: [MAC] });
  const coming = domain('mail-a--incoming', 12, vif('vif12.0', { mac: MAC }));
  expect(vifsOf(service, 'mail-a', coming)).toEqual(['vif12.0']);
});

test('no interface is claimed by two DomUs', () => {
  const service = mail({ macs: [MAC] }, { macs: [MAC] });
  const found = matchGuests([service], [domain('x', 1, vif('vif1.0', { mac: MAC }))]);
  expect([...found.values()].flatMap(({ vifs }) => vifs)).toEqual(['vif1.0']);
});

test('of two domains of one name the one that lives counts, and else the newest', () => {
  const dying = { ...domain('mail-a', 3), state: 'shutdown' } as const;
  const lives = domain('mail-a', 2);
  expect(domainNamed([lives, dying], 'mail-a')).toBe(lives);
  expect(domainNamed([{ ...dying, domid: 1 }, dying], 'mail-a')).toBe(dying);
});

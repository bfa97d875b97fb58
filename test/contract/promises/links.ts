import { describe, expect, it } from 'vitest';
import { address, apply, linkAddress, refused, see } from '../host.ts';
import type { Host } from '../host.ts';

const BRIDGE = { kind: 'bridge-add', bridge: { name: 'br-mail' } } as const;
const DELETE = { kind: 'bridge-delete', bridge: { name: 'br-mail' } } as const;
const JOIN = { kind: 'member-add', bridge: 'br-mail', link: 'vif1.0' } as const;
const LEAVE = { kind: 'member-remove', bridge: 'br-mail', link: 'vif1.0' } as const;

export function bridgePromises(host: () => Host): void {
  describe('bridges', () => {
    it('are made by us, up and without members; a second time is harmless', async () => {
      const { kernel } = host();
      await apply(kernel, BRIDGE, { ...BRIDGE, kind: 'bridge-up' });
      const made = await see(kernel);
      expect(made.bridges).toEqual([{ name: 'br-mail', ours: true, up: true, members: [] }]);
      await apply(kernel, BRIDGE, { ...BRIDGE, kind: 'bridge-up' });
      expect(await see(kernel)).toEqual(made);
    });

    it('of ours are deleted; a second time is harmless', async () => {
      const { kernel } = host();
      await apply(kernel, BRIDGE, DELETE);
      expect((await see(kernel, { links: ['br-mail'] })).bridges).toEqual([]);
      await apply(kernel, DELETE);
    });

    it('of others are reported as theirs where they are asked for, and are not deleted', async () => {
      const { kernel, outside } = host();
      await outside.addBridge('br-mail');
      expect((await see(kernel)).bridges).toEqual([]);
      const before = await see(kernel, { links: ['br-mail'] });
      expect(before.bridges).toMatchObject([{ name: 'br-mail', ours: false }]);
      await refused(apply(kernel, DELETE), 'EPERM');
      expect(await see(kernel, { links: ['br-mail'] })).toEqual(before);
    });

    it('that others made stay theirs when they are adopted', async () => {
      const { kernel, outside } = host();
      await outside.addBridge('br-mail');
      await apply(kernel, BRIDGE);
      expect((await see(kernel, { links: ['br-mail'] })).bridges).toMatchObject([{ ours: false }]);
    });

    it('take a link and let it go; a second time is harmless', async () => {
      const { kernel, addLink } = host();
      await addLink('vif1.0');
      await apply(kernel, BRIDGE, JOIN, JOIN);
      expect((await see(kernel)).bridges).toMatchObject([{ members: ['vif1.0'] }]);
      await apply(kernel, LEAVE, LEAVE);
      expect((await see(kernel)).bridges).toMatchObject([{ members: [] }]);
    });

    it('and their links tell what they have carried, each under its name', async () => {
      const { kernel, addLink } = host();
      await addLink('vif1.0');
      await apply(kernel, BRIDGE);
      const traffic = await kernel.linkTraffic();
      expect(traffic.get('vif1.0')).toEqual({
        received: { packets: expect.any(Number) as number, bytes: expect.any(Number) as number },
        sent: { packets: expect.any(Number) as number, bytes: expect.any(Number) as number },
      });
      expect(traffic.has('br-mail')).toBe(true);
      expect(traffic.has('vif9.0')).toBe(false);
    });

    it('do not take a link from another bridge when it is to leave this one', async () => {
      const { kernel, addLink } = host();
      await addLink('vif1.0');
      await apply(kernel, BRIDGE, { kind: 'bridge-add', bridge: { name: 'br-ldap' } });
      await apply(kernel, { ...JOIN, bridge: 'br-ldap' }, LEAVE);
      expect((await see(kernel)).bridges).toMatchObject([
        { name: 'br-ldap', members: ['vif1.0'] },
        { name: 'br-mail', members: [] },
      ]);
    });

    it('and links that do not exist are ENOENT, and nothing has changed', async () => {
      const { kernel, addLink } = host();
      await refused(apply(kernel, { ...BRIDGE, kind: 'bridge-up' }), 'ENOENT');
      await apply(kernel, BRIDGE);
      const before = await see(kernel);
      await refused(apply(kernel, JOIN), 'ENOENT');
      expect(await see(kernel)).toEqual(before);
      await apply(kernel, DELETE);
      await addLink('vif1.0');
      await refused(apply(kernel, JOIN), 'ENOENT');
    });

    it('keep their MAC when links come and go', async () => {
      const { kernel, addLink } = host();
      const mac = async () => (await kernel.links()).find(({ name }) => name === 'br-mail')?.mac;
      await addLink('vif1.0');
      await apply(kernel, BRIDGE);
      const before = await mac();
      await apply(kernel, JOIN);
      expect(await mac()).toBe(before);
      await apply(kernel, LEAVE);
      expect(await mac()).toBe(before);
    });

    it('lose a member that is gone, and are not held up by it', async () => {
      const { kernel, outside, addLink } = host();
      await addLink('vif1.0');
      await apply(kernel, BRIDGE, JOIN);
      await outside.removeLink('vif1.0');
      expect((await see(kernel)).bridges).toMatchObject([{ members: [] }]);
      await apply(kernel, LEAVE);
    });
  });

  describe('links', () => {
    it('are all told, with their bridge, whosever they are', async () => {
      const { kernel, addLink } = host();
      await addLink('vif1.0');
      await apply(kernel, BRIDGE, JOIN);
      const links = await kernel.links();
      const named = (name: string) => links.find((link) => link.name === name);
      expect(named('br-mail')).toMatchObject({ master: null, up: true });
      expect(named('vif1.0')).toMatchObject({ master: 'br-mail', mtu: 1500 });
      expect(named('vif1.0')?.mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
      expect(named('lo')?.index).toBe(1);
      expect(new Set(links.map(({ index }) => index)).size).toBe(links.length);
    });

    it('that are gone cannot be announced on', async () => {
      const { kernel } = host();
      await refused(kernel.announce('eth9', [{ family: 4, text: '192.0.2.25' }]), 'ENOENT');
    });
  });
}

export function addressPromises(host: () => Host): void {
  const add = (text: string) => ({ kind: 'address-add', address: linkAddress('eth7', text) }) as const;
  const remove = (text: string) => ({ kind: 'address-delete', address: linkAddress('eth7', text) }) as const;
  const BOTH = ['192.0.2.25/32', '2001:db8::25/128'] as const;
  /** The kernel gives each link one of its own, which nobody asked for. */
  const seen = async () =>
    (await see(host().kernel, { links: ['eth7'] })).addresses.filter(
      ({ link, address: { address: text } }) => link === 'eth7' && !text.startsWith('fe80:'),
    );

  describe('addresses', () => {
    it.each(BOTH)('%s is added as ours; a second time is harmless', async (text) => {
      const { kernel, addLink } = host();
      await addLink('eth7');
      await apply(kernel, add(text));
      const added = await seen();
      expect(added).toMatchObject([{ link: 'eth7', address: address(text), ours: true }]);
      await apply(kernel, add(text));
      expect(await seen()).toEqual(added);
    });

    it.each(BOTH)('%s of ours is found although nobody asked for its link', async (text) => {
      const { kernel, addLink } = host();
      await addLink('eth7');
      await apply(kernel, add(text));
      expect((await see(kernel)).addresses).toMatchObject([{ link: 'eth7', address: address(text) }]);
    });

    it.each(BOTH)('%s of ours is deleted; a second time is harmless', async (text) => {
      const { kernel, addLink } = host();
      await addLink('eth7');
      await apply(kernel, add(text), remove(text), remove(text));
      expect(await seen()).toEqual([]);
    });

    it.each(BOTH)('%s of somebody else is reported so, adopted as it is, and not deleted', async (text) => {
      const { kernel, outside, addLink } = host();
      await addLink('eth7');
      await outside.addAddress('eth7', address(text));
      const before = await seen();
      expect(before).toMatchObject([{ address: address(text), ours: false }]);
      await apply(kernel, add(text));
      expect(await seen()).toEqual(before);
      await refused(apply(kernel, remove(text)), 'EPERM');
      expect(await seen()).toEqual(before);
    });

    it('keep their network', async () => {
      const { kernel, addLink } = host();
      await addLink('eth7');
      await apply(kernel, add('10.50.0.1/24'), add('fd00:50::1/64'));
      expect((await seen()).map((entry) => entry.address)).toEqual([
        address('10.50.0.1/24'),
        address('fd00:50::1/64'),
      ]);
    });

    it('cannot be put on a link that does not exist; deleting them there is harmless', async () => {
      const { kernel } = host();
      await refused(apply(kernel, add('192.0.2.25/32')), 'ENOENT');
      await apply(kernel, remove('192.0.2.25/32'));
    });

    it('go with their link', async () => {
      const { kernel, outside, addLink } = host();
      await addLink('eth7');
      await apply(kernel, add('192.0.2.25/32'));
      await outside.removeLink('eth7');
      expect((await see(kernel)).addresses).toEqual([]);
    });

    it('that are to be announced are added all the same', async () => {
      const { kernel, addLink } = host();
      await addLink('eth7');
      const announced = linkAddress('eth7', '192.0.2.25/32', { announce: true });
      await apply(kernel, { kind: 'address-add', address: announced });
      expect(await seen()).toMatchObject([{ ours: true }]);
    });
  });
}

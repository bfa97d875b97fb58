import { describe, expect, it } from 'vitest';
import type { Flow, Kernel } from '../../../src/kernel/kernel.ts';
import { EMPTY_KERNEL } from '../../../src/model/kernel-state.ts';
import { apply, refused, see } from '../host.ts';
import type { Host } from '../host.ts';

const FORWARDING = ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding'] as const;
const OURS = { value: 0x00040000, mask: 0xffff0000 };

const UNKNOWN: Flow = {
  family: 4,
  protocol: 'tcp',
  from: { family: 4, text: '198.51.100.7' },
  to: { family: 4, text: '192.0.2.25' },
  fromPort: 40000,
  toPort: 25,
  answeredBy: { family: 4, text: '10.50.0.2' },
  answeredPort: 25,
  mark: 0x00040000,
  id: 1,
  closing: false,
};

export function sysctlPromises(host: () => Host): void {
  const read = async (kernel: Kernel, key: string) => (await see(kernel, { sysctls: [key] })).sysctls;

  describe('sysctls', () => {
    it.each(FORWARDING)('%s is read and written; a second time is harmless', async (key) => {
      const { kernel } = host();
      for (const value of ['1', '1', '0', '1']) {
        await apply(kernel, { kind: 'sysctl', key, value });
        expect(await read(kernel, key)).toEqual({ [key]: value });
      }
    });

    it('of an interface are there while it is, dots in its name or not', async () => {
      const { kernel, outside, addLink } = host();
      const key = 'net/ipv6/conf/vif1.0/accept_ra';
      expect(await read(kernel, key)).toEqual({});
      await addLink('vif1.0');
      await apply(kernel, { kind: 'sysctl', key, value: '2' });
      expect(await read(kernel, key)).toEqual({ [key]: '2' });
      await outside.removeLink('vif1.0');
      expect(await read(kernel, key)).toEqual({});
      await addLink('vif1.0');
      expect(await read(kernel, key)).not.toEqual({ [key]: '2' });
    });

    it('that do not exist are left out, and writing them is ENOENT', async () => {
      const { kernel } = host();
      expect(await read(kernel, 'net/ipv4/no_such_thing')).toEqual({});
      await refused(apply(kernel, { kind: 'sysctl', key: 'net/ipv4/no_such_thing', value: '1' }), 'ENOENT');
    });
  });
}

export function flowPromises(host: () => Host): void {
  describe('flows', () => {
    it('are none on a host that directs nothing', async () => {
      const { kernel } = host();
      expect([...(await kernel.countFlows(OURS.mask))]).toEqual([]);
      const found: Flow[] = [];
      for await (const some of kernel.flows(OURS)) found.push(...some);
      expect(found).toEqual([]);
      expect(await kernel.deleteFlows(OURS)).toBe(0);
    });

    it('that have ended cannot be ended', async () => {
      expect(await host().kernel.deleteFlow(UNKNOWN)).toBe(false);
    });
  });
}

export function wholePromises(host: () => Host): void {
  describe('a host', () => {
    it('with nothing of ours is empty, and looking at it changes nothing', async () => {
      const { kernel } = host();
      expect(await see(kernel)).toEqual(EMPTY_KERNEL);
      expect(await see(kernel)).toEqual(EMPTY_KERNEL);
    });

    it('that can do the work lacks nothing', async () => {
      expect(await host().kernel.missing()).toEqual([]);
    });
  });
}

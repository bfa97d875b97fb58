import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../../src/kernel/kernel.ts';
import type { Jump } from '../../../src/model/kernel-state.ts';
import type { TableChange } from '../../../src/model/operation.ts';
import { apply, refused, rules, see, writing } from '../host.ts';
import type { Host } from '../host.ts';

const FIRST: Jump = { chain: 'FORWARD', target: 'DIR-FWD', at: 'first' };
const LAST: Jump = { chain: 'FORWARD', target: 'DIR-PASS', at: 'last' };
const CHAINS = writing('filter', { 'DIR-FWD': ['-j RETURN'], 'DIR-PASS': ['-j RETURN'] });
const FOREIGN = ['-i eth0 -j ACCEPT', '-o eth0 -j DROP'] as const;

const jumping = (...jumps: TableChange['jumps']): TableChange => writing('filter', {}, { jumps });
const put = (jump: Jump, present = 0) => ({ jump, present, wanted: true });
const take = (jump: Jump, present = 1) => ({ jump, present, wanted: false });

export function jumpPromises(host: () => Host): void {
  describe.each([4, 6] as const)('jumps of IPv%i', (family) => {
    const jumpsSeen = async (kernel: Kernel) =>
      (await see(kernel)).tables[family].filter.jumps.toSorted((a, b) => (a.target < b.target ? -1 : 1));
    const change = (kernel: Kernel, ...jumps: TableChange['jumps']) =>
      apply(kernel, rules(family, jumping(...jumps)));
    const forward = () => host().outside.rules(family, 'filter', 'FORWARD');
    async function between(): Promise<Kernel> {
      const { kernel, outside } = host();
      for (const rule of FOREIGN) await outside.addRule(family, 'filter', 'FORWARD', rule, 'last');
      await apply(kernel, rules(family, CHAINS));
      return kernel;
    }

    it('stand first and last among the rules of others, which stay as they are', async () => {
      const kernel = await between();
      await change(kernel, put(FIRST), put(LAST));
      expect(await forward()).toEqual(['-j DIR-FWD', ...FOREIGN, '-j DIR-PASS']);
      expect(await jumpsSeen(kernel)).toEqual([FIRST, LAST]);
    });

    it('are taken out again, and the rules of others stay', async () => {
      const kernel = await between();
      await change(kernel, put(FIRST), put(LAST));
      await change(kernel, take(FIRST), take(LAST));
      expect(await forward()).toEqual(FOREIGN);
      expect(await jumpsSeen(kernel)).toEqual([]);
    });

    it('that are in place and applied again with what is present are in place', async () => {
      const kernel = await between();
      await change(kernel, put(FIRST), put(LAST));
      await change(kernel, put(FIRST, 1), put(LAST, 1));
      await change(kernel, put(FIRST, 1), put(LAST, 1));
      expect(await forward()).toEqual(['-j DIR-FWD', ...FOREIGN, '-j DIR-PASS']);
    });

    it('that are alone in their chain stand where they are wanted', async () => {
      const { kernel } = host();
      await apply(kernel, rules(family, CHAINS));
      await change(kernel, put(LAST));
      expect(await jumpsSeen(kernel)).toEqual([LAST]);
      await change(kernel, put(FIRST), take(LAST));
      expect(await jumpsSeen(kernel)).toEqual([FIRST]);
    });

    it('that others’ rules came before or after are seen to be misplaced, and put back', async () => {
      const kernel = await between();
      await change(kernel, put(FIRST), put(LAST));
      await host().outside.addRule(family, 'filter', 'FORWARD', '-i eth1 -j DROP', 'first');
      await host().outside.addRule(family, 'filter', 'FORWARD', '-i eth2 -j DROP', 'last');
      expect(await jumpsSeen(kernel)).toEqual([
        { ...FIRST, at: 'last' },
        { ...LAST, at: 'first' },
      ]);
      await change(kernel, put(FIRST, 1), put(LAST, 1));
      expect(await jumpsSeen(kernel)).toEqual([FIRST, LAST]);
      expect(await forward()).toEqual([
        '-j DIR-FWD',
        '-i eth1 -j DROP',
        ...FOREIGN,
        '-i eth2 -j DROP',
        '-j DIR-PASS',
      ]);
    });

    it('that stand too often are counted, and one of them is left', async () => {
      const kernel = await between();
      await change(kernel, put(FIRST), put(LAST));
      await host().outside.addRule(family, 'filter', 'FORWARD', '-j DIR-FWD', 'last');
      await host().outside.addRule(family, 'filter', 'FORWARD', '-j DIR-FWD', 'last');
      expect((await jumpsSeen(kernel))[0]).toEqual({ ...FIRST, surplus: 2 });
      await change(kernel, put(FIRST, 3), put(LAST, 1));
      expect(await jumpsSeen(kernel)).toEqual([FIRST, LAST]);
      expect(await forward()).toEqual(['-j DIR-FWD', ...FOREIGN, '-j DIR-PASS']);
    });

    it('are only those that do nothing but jump', async () => {
      const kernel = await between();
      await host().outside.addRule(family, 'filter', 'FORWARD', '-i eth0 -j DIR-FWD', 'first');
      expect(await jumpsSeen(kernel)).toEqual([]);
    });

    it('in chains that nobody asked about are seen too', async () => {
      const kernel = await between();
      await host().outside.addRule(family, 'filter', 'INPUT', '-j DIR-FWD', 'last');
      expect(await jumpsSeen(kernel)).toMatchObject([{ chain: 'INPUT', target: 'DIR-FWD' }]);
    });

    it('keep their chain from being deleted, and go with it in one operation', async () => {
      const kernel = await between();
      await change(kernel, put(FIRST));
      const before = await see(kernel);
      await refused(apply(kernel, rules(family, writing('filter', {}, { delete: ['DIR-FWD'] }))));
      expect(await see(kernel)).toEqual(before);
      const both = writing('filter', {}, { jumps: [take(FIRST)], delete: ['DIR-FWD', 'DIR-PASS'] });
      await apply(kernel, rules(family, both));
      expect((await see(kernel)).tables[family].filter.chains.size).toBe(0);
      expect(await forward()).toEqual(FOREIGN);
    });

    it('to a chain that does not exist, and from one, are refused, and the table is as it was', async () => {
      const kernel = await between();
      const before = await see(kernel);
      await refused(change(kernel, put({ ...FIRST, target: 'DIR-none' })));
      await refused(change(kernel, put({ ...FIRST, chain: 'NOWHERE' })));
      expect(await see(kernel)).toEqual(before);
      expect(await forward()).toEqual(FOREIGN);
    });
  });
}

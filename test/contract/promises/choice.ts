import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../../src/kernel/kernel.ts';
import { apply, forGood, keysOf, refused, rules, see, writing } from '../host.ts';
import type { Host } from '../host.ts';

const CREATE = { kind: 'choice-create' } as const;
const DESTROY = { kind: 'choice-destroy' } as const;

const MAIL = forGood('10.50.0.2', '192.0.2.25,tcp:25', '2001:db8::25,tcp:25', 'fd00:50::2');
const LDAP = forGood('10.51.0.2', '10.51.0.3', '192.0.2.39,tcp:389', '192.0.2.39,udp:389');
const READS = writing('nat', { 'DIR-mail': ['-m set --match-set dir-trial dst,dst -j RETURN'] });

const choiceOf = async (kernel: Kernel) => (await see(kernel)).choice;

export function choicePromises(host: () => Host): void {
  describe('the choice', () => {
    it('is not there before it is made, and cannot be prepared', async () => {
      const { kernel } = host();
      expect(await choiceOf(kernel)).toBeNull();
      await refused(kernel.prepareChoice({ elements: MAIL }), 'ENOENT');
      await refused(apply(kernel, { kind: 'choice-swap', choice: { elements: MAIL } }), 'ENOENT');
      expect(await choiceOf(kernel)).toBeNull();
    });

    it('is made empty, and its sets are no others’ business', async () => {
      const { kernel } = host();
      await apply(kernel, CREATE);
      expect(await see(kernel)).toMatchObject({ choice: { elements: [] }, sets: [] });
    });

    it('changes in nothing when it is prepared, and in all when it is committed', async () => {
      const { kernel } = host();
      await apply(kernel, CREATE);
      const before = await see(kernel);
      const prepared = await kernel.prepareChoice({ elements: MAIL });
      expect(await see(kernel)).toEqual(before);
      const swap = await prepared.commit();
      expect(swap.familySkewMicros).toBe(0);
      expect(swap.flipMicros).toBeGreaterThanOrEqual(0);
      expect(await see(kernel)).toEqual({ ...before, choice: { elements: MAIL } });
    });

    it('is replaced whole by the next one, and by the one after that', async () => {
      const { kernel } = host();
      await apply(kernel, CREATE);
      for (const elements of [MAIL, LDAP, [], LDAP, MAIL]) {
        const prepared = await kernel.prepareChoice({ elements });
        await prepared.commit();
        expect(await choiceOf(kernel)).toEqual({ elements });
      }
    });

    it('is what was prepared last, when an earlier preparation came to nothing', async () => {
      const { kernel } = host();
      await apply(kernel, CREATE);
      await kernel.prepareChoice({ elements: MAIL });
      const prepared = await kernel.prepareChoice({ elements: LDAP });
      await prepared.commit();
      expect(await choiceOf(kernel)).toEqual({ elements: LDAP });
    });

    it('is changed by an operation too; a second time is harmless', async () => {
      const { kernel } = host();
      const swap = { kind: 'choice-swap', choice: { elements: MAIL } } as const;
      await apply(kernel, CREATE, swap);
      expect(await choiceOf(kernel)).toEqual({ elements: MAIL });
      await apply(kernel, swap);
      expect(await choiceOf(kernel)).toEqual({ elements: MAIL });
    });

    it('stays as it is when a preparation is refused', async () => {
      const { kernel } = host();
      await apply(kernel, CREATE, { kind: 'choice-swap', choice: { elements: MAIL } });
      await refused(kernel.prepareChoice({ elements: forGood('192.0.2.25,tcp:99999') }));
      await refused(kernel.prepareChoice({ elements: forGood('mail') }));
      expect(await choiceOf(kernel)).toEqual({ elements: MAIL });
    });

    it('expires in the kernel, element by element', async () => {
      const { kernel, now, advance } = host();
      const trial = [
        { key: '192.0.2.25,tcp:25', expiresAt: now() + 1000 },
        { key: 'fd00:50::2', expiresAt: now() + 1000 },
        { key: '192.0.2.39,udp:389', expiresAt: null },
        { key: '10.51.0.2', expiresAt: now() + 3_600_000 },
      ];
      await apply(kernel, CREATE, { kind: 'choice-swap', choice: { elements: trial } });
      await advance(2500);
      expect(keysOf((await choiceOf(kernel))?.elements)).toEqual(['10.51.0.2', '192.0.2.39,udp:389']);
    });

    it('is kept when it is made again', async () => {
      const { kernel } = host();
      await apply(kernel, CREATE, { kind: 'choice-swap', choice: { elements: MAIL } }, CREATE);
      expect(await choiceOf(kernel)).toEqual({ elements: MAIL });
    });

    it.each([
      { swaps: 1, last: MAIL },
      { swaps: 2, last: LDAP },
    ])(
      'is found to be broken when its list was flushed, and mended with its bank, after $swaps',
      async (row) => {
        const { kernel, outside } = host();
        await apply(kernel, CREATE, { kind: 'choice-swap', choice: { elements: MAIL } });
        if (row.swaps === 2) await apply(kernel, { kind: 'choice-swap', choice: { elements: LDAP } });
        await outside.flushSet('dir-trial');
        expect(await choiceOf(kernel)).toBeNull();
        await apply(kernel, CREATE);
        expect(await choiceOf(kernel)).toEqual({ elements: row.last });
      },
    );

    it('goes on being changed after its idle list was flushed and it was made again', async () => {
      const { kernel, outside } = host();
      await apply(kernel, CREATE, { kind: 'choice-swap', choice: { elements: MAIL } });
      await outside.flushSet('dir-trial-next');
      expect(await choiceOf(kernel)).toBeNull();
      await refused(kernel.prepareChoice({ elements: LDAP }), 'ENOENT');
      await apply(kernel, CREATE);
      expect(await choiceOf(kernel)).toEqual({ elements: MAIL });
      await apply(kernel, { kind: 'choice-swap', choice: { elements: LDAP } });
      expect(await choiceOf(kernel)).toEqual({ elements: LDAP });
    });

    it('is not touched by a preparation after somebody else has exchanged its lists', async () => {
      const { kernel, outside } = host();
      await apply(kernel, CREATE);
      for (const elements of [MAIL, LDAP]) await apply(kernel, { kind: 'choice-swap', choice: { elements } });
      await outside.swapSets('dir-trial', 'dir-trial-next');
      expect(await choiceOf(kernel)).toEqual({ elements: MAIL });
      const prepared = await kernel.prepareChoice({ elements: [] });
      expect(await choiceOf(kernel)).toEqual({ elements: MAIL });
      await prepared.commit();
      expect(await choiceOf(kernel)).toEqual({ elements: [] });
    });

    it('is mended when its idle list was destroyed, and not in what it says', async () => {
      const { kernel, outside } = host();
      await apply(kernel, CREATE, { kind: 'choice-swap', choice: { elements: MAIL } });
      await outside.destroySet('dir-trial-next');
      expect(await choiceOf(kernel)).toBeNull();
      await apply(kernel, CREATE);
      expect(await choiceOf(kernel)).toEqual({ elements: MAIL });
    });

    it('is destroyed with all its sets; a second time is harmless', async () => {
      const { kernel } = host();
      await apply(kernel, CREATE, { kind: 'choice-swap', choice: { elements: MAIL } }, DESTROY, DESTROY);
      expect(await see(kernel)).toMatchObject({ choice: null, sets: [] });
      await apply(kernel, CREATE);
      expect(await choiceOf(kernel)).toEqual({ elements: [] });
    });

    it('that a rule reads is not destroyed, and says what it said', async () => {
      const { kernel } = host();
      await apply(kernel, CREATE, rules(4, READS));
      await apply(kernel, { kind: 'choice-swap', choice: { elements: MAIL } });
      await refused(apply(kernel, DESTROY), 'EBUSY');
      expect(await choiceOf(kernel)).toEqual({ elements: MAIL });
    });

    it('can be read by rules, before and after a swap, in both families', async () => {
      const { kernel } = host();
      await refused(apply(kernel, rules(4, READS)), 'ENOENT');
      await apply(kernel, CREATE);
      for (const family of [4, 6] as const) {
        await apply(kernel, rules(family, READS));
        await apply(kernel, { kind: 'choice-swap', choice: { elements: MAIL } });
        const { tables } = await see(kernel);
        expect(tables[family].nat.chains.get('DIR-mail')).toEqual(READS.write[0]?.rules);
      }
    });
  });
}

import { describe, expect, it } from 'vitest';
import type { SetElement } from '../../../src/model/kernel-state.ts';
import { apply, forGood, keysOf, refused, rules, see, setSpec, writing } from '../host.ts';
import type { Host } from '../host.ts';

/** ipset's own spelling of each type's elements, in both families. */
const KINDS = [
  { type: 'hash:ip', family: 4, keys: ['192.0.2.25', '0.0.0.1', '255.255.255.254'] },
  { type: 'hash:ip', family: 6, keys: ['2001:db8::25', 'fd00:50::', '2001:db8:0:1:1:1:1:1'] },
  { type: 'hash:net', family: 4, keys: ['198.51.100.0/24', '203.0.113.7', '0.0.0.0/1'] },
  { type: 'hash:net', family: 6, keys: ['2001:db8::/32', '2001:db8::25', '8000::/1'] },
  {
    type: 'hash:ip,port',
    family: 4,
    keys: ['192.0.2.25,tcp:25', '192.0.2.25,udp:25', '192.0.2.25,tcp:65535'],
  },
  { type: 'hash:ip,port', family: 6, keys: ['2001:db8::25,tcp:25', '2001:db8::25,udp:514'] },
  {
    type: 'hash:net,iface',
    family: 4,
    keys: ['10.50.0.0/24,br-mail', '10.50.0.7,br-mail', '0.0.0.0/0,eth0'],
  },
  { type: 'hash:net,iface', family: 6, keys: ['fd00:50::/64,br-mail', 'fd00:50::7,vif1.0', '::/0,eth0'] },
] as const;

const WRONG = [
  { type: 'hash:ip', family: 4, key: '2001:db8::25' },
  { type: 'hash:ip', family: 6, key: '192.0.2.25' },
  { type: 'hash:ip', family: 4, key: '192.0.2.25,tcp:25' },
  { type: 'hash:ip', family: 4, key: 'mail' },
  { type: 'hash:net', family: 4, key: '198.51.100.0/33' },
  { type: 'hash:net', family: 4, key: '0.0.0.0/0' },
  { type: 'hash:net', family: 6, key: '198.51.100.0/24' },
  { type: 'hash:ip,port', family: 4, key: '192.0.2.25' },
  { type: 'hash:ip,port', family: 4, key: '192.0.2.25,tcp:65536' },
  { type: 'hash:ip,port', family: 6, key: '192.0.2.25,tcp:25' },
  { type: 'hash:net,iface', family: 4, key: '10.50.0.0/24' },
  { type: 'hash:net,iface', family: 4, key: '10.50.0.0/24,a-name-of-more-than-15' },
] as const;

const LEASED = setSpec('dir-mail-testers', { type: 'hash:net', timeouts: true });
const PLAIN = setSpec('dir-vips');

const create = (set = PLAIN) => ({ kind: 'set-create', set }) as const;
const destroy = (set = PLAIN) => ({ kind: 'set-destroy', set }) as const;
const add = (elements: readonly SetElement[], set = PLAIN) => ({ kind: 'set-add', set, elements }) as const;
const remove = (elements: readonly SetElement[], set = PLAIN) =>
  ({ kind: 'set-delete', set, elements }) as const;

export function setPromises(host: () => Host): void {
  describe('sets', () => {
    it.each(KINDS)('of $type, IPv$family, are seen as they were made and filled', async (kind) => {
      const { kernel } = host();
      for (const timeouts of [false, true]) {
        for (const counters of [false, true]) {
          const { type, family, keys } = kind;
          const set = setSpec(`dir-x${timeouts ? '-t' : ''}${counters ? '-c' : ''}`, {
            type,
            family,
            timeouts,
            counters,
          });
          await apply(kernel, create(set));
          const find = async () => (await see(kernel)).sets.find(({ name }) => name === set.name);
          expect(await find()).toEqual({ ...set, elements: [] });
          await apply(kernel, add(forGood(...keys), set));
          expect(await find()).toEqual({ ...set, elements: forGood(...keys) });
        }
      }
    });

    it('are made and filled twice without harm', async () => {
      const { kernel } = host();
      await apply(kernel, create(), add(forGood('192.0.2.25')));
      const before = await see(kernel);
      await apply(kernel, create(), add(forGood('192.0.2.25')));
      expect(await see(kernel)).toEqual(before);
    });

    it('of another kind and the same name are refused, and the old one keeps its elements', async () => {
      const { kernel } = host();
      await apply(kernel, create(), add(forGood('192.0.2.25')));
      const before = await see(kernel);
      await refused(apply(kernel, create({ ...PLAIN, family: 6 })), 'EEXIST');
      await refused(apply(kernel, create({ ...PLAIN, type: 'hash:net' })), 'EEXIST');
      await refused(apply(kernel, create({ ...PLAIN, timeouts: true })), 'EEXIST');
      await refused(apply(kernel, create({ ...PLAIN, counters: true })), 'EEXIST');
      expect(await see(kernel)).toEqual(before);
    });

    it('are destroyed with what is in them; a second time is harmless', async () => {
      const { kernel } = host();
      await apply(kernel, create(), add(forGood('192.0.2.25')), destroy(), destroy());
      expect((await see(kernel)).sets).toEqual([]);
    });

    it.each([4, 6] as const)('that a rule of IPv%i uses are not destroyed', async (family) => {
      const { kernel } = host();
      const set = { ...PLAIN, family };
      const rule = '-m set --match-set dir-vips dst -j RETURN';
      await apply(kernel, create(set), add(forGood(family === 4 ? '192.0.2.25' : '2001:db8::25'), set));
      await apply(kernel, rules(family, writing('nat', { 'DIR-PRE': [rule] })));
      const before = await see(kernel);
      await refused(apply(kernel, destroy(set)), 'EBUSY');
      expect(await see(kernel)).toEqual(before);
      await apply(kernel, rules(family, writing('nat', { 'DIR-PRE': [] })), destroy(set));
      expect((await see(kernel)).sets).toEqual([]);
    });

    it.each([4, 6] as const)('of the other family cannot be used by a rule of IPv%i', async (family) => {
      const { kernel } = host();
      const rule = '-m set --match-set dir-vips dst -j RETURN';
      await apply(kernel, create({ ...PLAIN, family: family === 4 ? 6 : 4 }));
      await refused(apply(kernel, rules(family, writing('nat', { 'DIR-PRE': [rule] }))));
      expect((await see(kernel)).tables[family].nat.chains.size).toBe(0);
    });

    it('of others are not seen', async () => {
      const { kernel, outside } = host();
      await outside.addSet('blocklist');
      expect((await see(kernel)).sets).toEqual([]);
    });

    it('of the longest name are made', async () => {
      const { kernel } = host();
      const name = 'dir-'.padEnd(31, 'x');
      await apply(kernel, create(setSpec(name)));
      expect((await see(kernel)).sets).toMatchObject([{ name }]);
      await refused(apply(kernel, create(setSpec(`${name}x`))));
      expect((await see(kernel)).sets).toHaveLength(1);
    });

    it('that do not exist take no elements and give no counters', async () => {
      const { kernel } = host();
      await refused(apply(kernel, add(forGood('192.0.2.25'))), 'ENOENT');
      await refused(kernel.counters('dir-vips'), 'ENOENT');
    });

    it('hold thousands of elements from one operation', async () => {
      const { kernel } = host();
      const keys = Array.from({ length: 5000 }, (_, i) => `10.${i >> 8}.${i & 255}.1,tcp:25`);
      const set = setSpec('dir-ports', { type: 'hash:ip,port' });
      await apply(kernel, create(set), add(forGood(...keys), set));
      expect(keysOf((await see(kernel)).sets[0]?.elements)).toEqual(keys.toSorted());
      await apply(kernel, remove(forGood(...keys), set));
      expect((await see(kernel)).sets[0]?.elements).toEqual([]);
    });
  });

  describe('elements', () => {
    it.each(WRONG)('"$key" is refused by $type, IPv$family, whole', async ({ type, family, key }) => {
      const { kernel } = host();
      const set = setSpec('dir-x', { type, family });
      const good = KINDS.find((kind) => kind.type === type && kind.family === family)?.keys[0] ?? '';
      await apply(kernel, create(set));
      await refused(apply(kernel, add([...forGood(good), ...forGood(key)], set)));
      expect((await see(kernel)).sets[0]?.elements).toEqual([]);
    });

    it('are added to what is there, and deleted one by one; a second time is harmless', async () => {
      const { kernel } = host();
      await apply(kernel, create(), add(forGood('192.0.2.1', '192.0.2.2')), add(forGood('192.0.2.3')));
      await apply(kernel, remove(forGood('192.0.2.2')), remove(forGood('192.0.2.2')));
      expect((await see(kernel)).sets[0]?.elements).toEqual(forGood('192.0.2.1', '192.0.2.3'));
    });

    it('expire by themselves when their time is over, and only they', async () => {
      const { kernel, now, advance } = host();
      await apply(kernel, create(LEASED));
      await apply(kernel, add([{ key: '198.51.100.0/24', expiresAt: now() + 1000 }], LEASED));
      await apply(kernel, add(forGood('203.0.113.7'), LEASED));
      await apply(kernel, add([{ key: '203.0.113.9', expiresAt: now() + 3_600_000 }], LEASED));
      expect((await see(kernel)).sets[0]?.elements).toHaveLength(3);
      await advance(2500);
      expect(keysOf((await see(kernel)).sets[0]?.elements)).toEqual(['203.0.113.7', '203.0.113.9']);
    });

    it('tell when they expire', async () => {
      const { kernel, now } = host();
      const expiresAt = now() + 3_600_000;
      await apply(kernel, create(LEASED), add([{ key: '198.51.100.0/24', expiresAt }], LEASED));
      const seen = (await see(kernel)).sets[0]?.elements[0]?.expiresAt ?? 0;
      // Whole seconds, and what a busy machine adds.
      expect(Math.abs(seen - expiresAt)).toBeLessThan(60_000);
    });

    it('whose time was over already are there for a moment and gone then', async () => {
      const { kernel, now, advance } = host();
      await apply(kernel, create(LEASED), add([{ key: '203.0.113.7', expiresAt: now() - 5000 }], LEASED));
      await advance(2500);
      expect((await see(kernel)).sets[0]?.elements).toEqual([]);
    });

    it('are renewed, shortened and made permanent by adding them again', async () => {
      const { kernel, now, advance } = host();
      const key = '198.51.100.0/24';
      const expiries = async () => (await see(kernel)).sets[0]?.elements.map(({ expiresAt }) => expiresAt);
      await apply(kernel, create(LEASED), add([{ key, expiresAt: now() + 3_600_000 }], LEASED));
      await apply(kernel, add([{ key, expiresAt: null }], LEASED));
      expect(await expiries()).toEqual([null]);
      await apply(kernel, add([{ key, expiresAt: now() + 1000 }], LEASED));
      await advance(2500);
      expect(await expiries()).toEqual([]);
    });

    it('have counters that begin at nothing', async () => {
      const { kernel } = host();
      const set = setSpec('dir-count', { counters: true });
      await apply(kernel, create(set), add(forGood('192.0.2.25', '192.0.2.26'), set));
      expect([...(await kernel.counters('dir-count'))].sort()).toEqual([
        ['192.0.2.25', { packets: 0, bytes: 0 }],
        ['192.0.2.26', { packets: 0, bytes: 0 }],
      ]);
    });
  });
}

import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../../src/kernel/kernel.ts';
import type { Family } from '../../../src/model/address.ts';
import { EMPTY_TABLES } from '../../../src/model/kernel-state.ts';
import type { Jump, TableName } from '../../../src/model/kernel-state.ts';
import { apply, refused, rules, see, setSpec, writing } from '../host.ts';
import type { Host } from '../host.ts';

type Chains = Readonly<Record<string, readonly string[]>>;
const FAMILIES = [4, 6] as const;

/** iptables-save's spelling of what the director's rules are made of. */
function written(family: Family): Readonly<Record<TableName, Chains>> {
  const six = family === 6;
  const vip = six ? '2001:db8::25/128' : '192.0.2.25/32';
  const domu = six ? 'fd00:50::2' : '10.50.0.2';
  const network = six ? 'fd00:50::/64' : '10.50.0.0/24';
  const reject = six ? 'icmp6-adm-prohibited' : 'icmp-admin-prohibited';
  return {
    raw: { 'DIR-HOLD': ['-m set --match-set dir-hold dst,dst -j DROP'] },
    mangle: { 'DIR-COUNT': ['-m set --match-set dir-count dst -j RETURN'] },
    filter: {
      'DIR-FWD': [
        '-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN',
        `-d ${domu}/${six ? 128 : 32} -g DIR-FWD-mail.a`,
      ],
      'DIR-FWD-mail.a': [
        '-i br-mail -o br-mail -j RETURN',
        '-m set ! --match-set dir-hold dst,dst -j RETURN',
        `-s ${network} -j RETURN`,
        `-j REJECT --reject-with ${reject}`,
      ],
      'DIR-PASS': ['-m conntrack --ctstate DNAT -j ACCEPT'],
    },
    nat: {
      'DIR-PRE': [
        '-m set ! --match-set dir-count dst -j RETURN',
        `-d ${vip} -p tcp -m multiport --dports 25,143,8000:8009 -g DIR-mail`,
        `-d ${vip} -p udp -m multiport --dports 514 -g DIR-mail`,
      ],
      'DIR-mail': ['-m set --match-set dir-hold dst,dst -g DIR-mail.b', '-g DIR-mail.a'],
      'DIR-mail.a': [
        '-p tcp -j CONNMARK --set-xmark 0x40000/0xffff0000',
        `-p tcp -m tcp --dport 80 -j DNAT --to-destination ${six ? `[${domu}]` : domu}:8080`,
        `-m comment --comment mail-a -j DNAT --to-destination ${domu}`,
      ],
      'DIR-mail.b': [`-j DNAT --to-destination ${domu}`],
      'DIR-POST': [`-s ${network} -d ${network} -m conntrack --ctstate DNAT -j MASQUERADE`],
    },
  };
}

async function setsFor(kernel: Kernel, family: Family): Promise<void> {
  await apply(
    kernel,
    { kind: 'set-create', set: setSpec('dir-hold', { type: 'hash:ip,port', family }) },
    { kind: 'set-create', set: setSpec('dir-count', { family, counters: true }) },
  );
}

const chainsOf = async (kernel: Kernel, family: Family, table: TableName): Promise<Chains> =>
  Object.fromEntries((await see(kernel)).tables[family][table].chains);

/** iptables-legacy's restore says which line it refused, and often not why: the code of an error is no promise here. */
export function rulePromises(host: () => Host): void {
  describe.each(FAMILIES)('rules of IPv%i', (family) => {
    const simple = (...texts: string[]) => rules(family, writing('filter', { 'DIR-A': texts }));
    const deleting = (...chains: string[]) => rules(family, writing('filter', {}, { delete: chains }));

    it('come back in the spelling in which they were given, in each table', async () => {
      const { kernel } = host();
      await setsFor(kernel, family);
      const tables = written(family);
      const changes = (['raw', 'mangle', 'filter', 'nat'] as const).map((table) =>
        writing(table, tables[table]),
      );
      await apply(kernel, rules(family, ...changes));
      const { tables: seen } = await see(kernel);
      for (const table of ['raw', 'mangle', 'filter', 'nat'] as const) {
        expect(Object.fromEntries(seen[family][table].chains)).toEqual(tables[table]);
      }
      expect(seen[family === 4 ? 6 : 4]).toEqual(EMPTY_TABLES);
    });

    it('are written twice without harm', async () => {
      const { kernel } = host();
      await apply(kernel, simple('-i br-mail -j RETURN', '-j DROP'));
      const before = await see(kernel);
      await apply(kernel, simple('-i br-mail -j RETURN', '-j DROP'));
      expect(await see(kernel)).toEqual(before);
    });

    it('replace those of their chain whole, and leave the other chains', async () => {
      const { kernel } = host();
      await apply(
        kernel,
        rules(family, writing('filter', { 'DIR-A': ['-j DROP', '-j DROP'], 'DIR-B': ['-j DROP'] })),
      );
      await apply(kernel, simple('-i br-mail -j RETURN'));
      expect(await chainsOf(kernel, family, 'filter')).toEqual({
        'DIR-A': ['-i br-mail -j RETURN'],
        'DIR-B': ['-j DROP'],
      });
      await apply(kernel, simple());
      expect(await chainsOf(kernel, family, 'filter')).toEqual({ 'DIR-A': [], 'DIR-B': ['-j DROP'] });
    });

    it.each([
      { what: 'a chain that does not exist', rule: '-g DIR-none' },
      { what: 'a chain that does not exist, by a jump', rule: '-j DIR-none' },
      { what: 'a set that does not exist', rule: '-m set --match-set dir-none src -j DROP' },
    ])('that refer to $what are refused, and the table is as it was', async ({ rule }) => {
      const { kernel } = host();
      await apply(kernel, simple('-j DROP'));
      const before = await see(kernel);
      const change = writing('filter', { 'DIR-A': ['-j RETURN', rule], 'DIR-NEW': ['-j RETURN'] });
      await refused(apply(kernel, rules(family, change)));
      expect(await see(kernel)).toEqual(before);
    });

    it('may refer to a chain that is written with them, in any order', async () => {
      const { kernel } = host();
      const chains = { 'DIR-A': ['-g DIR-B'], 'DIR-B': ['-j DIR-C'], 'DIR-C': [] };
      await apply(kernel, rules(family, writing('filter', chains)));
      expect(await chainsOf(kernel, family, 'filter')).toEqual(chains);
    });

    it('keep the chain that they refer to from being deleted', async () => {
      const { kernel } = host();
      await apply(kernel, rules(family, writing('filter', { 'DIR-A': ['-g DIR-B'], 'DIR-B': ['-j DROP'] })));
      const before = await see(kernel);
      await refused(apply(kernel, deleting('DIR-B')));
      expect(await see(kernel)).toEqual(before);
    });

    it('of somebody else keep the chain that they refer to from being deleted', async () => {
      const { kernel, outside } = host();
      await apply(kernel, simple('-j DROP'));
      await outside.addRule(family, 'filter', 'INPUT', '-p tcp -j DIR-A', 'last');
      await refused(apply(kernel, deleting('DIR-A')));
      expect(await chainsOf(kernel, family, 'filter')).toEqual({ 'DIR-A': ['-j DROP'] });
    });

    it('go with their chains, in one operation with what referred to them', async () => {
      const { kernel } = host();
      await apply(
        kernel,
        rules(family, writing('filter', { 'DIR-A': ['-g DIR-B'], 'DIR-B': ['-j DIR-C'], 'DIR-C': [] })),
      );
      const change = writing('filter', { 'DIR-A': ['-j RETURN'] }, { delete: ['DIR-B', 'DIR-C'] });
      await apply(kernel, rules(family, change));
      expect(await chainsOf(kernel, family, 'filter')).toEqual({ 'DIR-A': ['-j RETURN'] });
    });

    it('are deleted twice without harm', async () => {
      const { kernel } = host();
      await apply(kernel, simple('-j DROP'), deleting('DIR-A'), deleting('DIR-A'));
      expect((await see(kernel)).tables).toEqual({ 4: EMPTY_TABLES, 6: EMPTY_TABLES });
    });

    it('that others flush are seen to be gone', async () => {
      const { kernel, outside } = host();
      const forward: Jump = { chain: 'FORWARD', target: 'DIR-FWD', at: 'first' };
      const jumps = [{ jump: forward, present: 0, wanted: true }];
      await apply(kernel, rules(family, writing('filter', { 'DIR-FWD': ['-j RETURN'] }, { jumps })));
      await outside.flushTable(family, 'filter');
      const { filter } = (await see(kernel)).tables[family];
      expect([...filter.chains]).toEqual([['DIR-FWD', []]]);
      expect(filter.jumps).toEqual([]);
    });

    it('of others are neither seen nor touched', async () => {
      const { kernel, outside } = host();
      await outside.addRule(family, 'filter', 'INPUT', '-i eth0 -j ACCEPT', 'last');
      await outside.addRule(family, 'filter', 'FORWARD', '-i eth0 -j ACCEPT', 'last');
      await apply(kernel, simple('-j RETURN'), deleting('DIR-A'));
      expect((await see(kernel)).tables).toEqual({ 4: EMPTY_TABLES, 6: EMPTY_TABLES });
      expect(await outside.rules(family, 'filter', 'INPUT')).toEqual(['-i eth0 -j ACCEPT']);
      expect(await outside.rules(family, 'filter', 'FORWARD')).toEqual(['-i eth0 -j ACCEPT']);
    });

    it('change the generation, where there is one, and looking does not', async () => {
      const { kernel } = host();
      const before = await kernel.generation();
      await see(kernel);
      expect(await kernel.generation()).toBe(before);
      await apply(kernel, simple('-j DROP'));
      const after = await kernel.generation();
      expect(after === null).toBe(before === null);
      if (before !== null) expect(after).not.toBe(before);
    });
  });
}

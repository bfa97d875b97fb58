import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Iptables } from '../../src/kernel/iptables/iptables.ts';
import { parseSave } from '../../src/kernel/iptables/parse-save.ts';
import { requirePrivateNamespace } from './links-private-namespace.ts';

beforeAll(requirePrivateNamespace);

describe.each(['nft', 'legacy'] as const)('iptables-%s', (variant) => {
  const iptables = new Iptables(variant);

  afterEach(async () => {
    for (const family of [4, 6] as const) {
      await iptables.restore(family, '*filter\n-F\n-X\nCOMMIT\n*raw\n-F\n-X\nCOMMIT\n');
    }
  });

  test.each([4, 6] as const)('IPv%i: what was loaded is saved and read as it was written', async (family) => {
    const rules = ['-p tcp -m tcp --dport 25 -g DIR-B', '-m comment --comment "two words" -j RETURN'];
    const text = `*filter\n:DIR-A - [0:0]\n:DIR-B - [0:0]\n${rules.map((rule) => `-A DIR-A ${rule}\n`).join('')}-I FORWARD -j DIR-A\nCOMMIT\n`;
    await iptables.restore(family, text);
    const { filter } = parseSave(await iptables.save(family), []);
    expect([...filter.chains]).toEqual([
      ['DIR-A', rules],
      ['DIR-B', []],
    ]);
    expect(filter.jumps).toEqual([{ chain: 'FORWARD', target: 'DIR-A', at: 'first' }]);
  });

  test('A refused table is as it was, the one before it is not, and the error says so', async () => {
    const text = '*raw\n:DIR-H - [0:0]\nCOMMIT\n*filter\n:DIR-A - [0:0]\n-A DIR-A -j DIR-NONE\nCOMMIT\n';
    await expect(iptables.restore(4, text)).rejects.toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining('raw had been committed') as string,
    });
    const tables = parseSave(await iptables.save(4), []);
    expect([...tables.raw.chains.keys()]).toEqual(['DIR-H']);
    expect(tables.filter.chains.size).toBe(0);
  });

  test('The backend is known', async () => {
    expect(await iptables.backend()).toBe(variant);
    expect(['nft', 'legacy']).toContain(await new Iptables('auto').backend());
  });
});

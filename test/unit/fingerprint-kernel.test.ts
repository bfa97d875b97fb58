import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { ip, requirePrivateNamespace, tool } from './links-private-namespace.ts';

const SYSCTLS = ['net/ipv4/ip_forward', 'net/bridge/no-such-module'];
/** Several looks of who looks; nothing depends on how many. */
const QUIET_MS = 1500;

let kernel: LinuxKernel;
const print = async (): Promise<string> => {
  const { choice, rest } = await kernel.fingerprint(SYSCTLS);
  return `${rest}|${choice}`;
};
const until = async (words: RegExp): Promise<string> => {
  await expect.poll(print, { timeout: 10_000, interval: 20 }).toMatch(words);
  return print();
};

/** Those that this process has started and that have not ended. */
function children(): number[] {
  const text = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
function perl(): number {
  const found = children().find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'perl');
  if (found === undefined) throw new Error('nobody looks');
  return found;
}

beforeAll(requirePrivateNamespace);
beforeEach(() => {
  // The namespace is that of all tests of a run.
  tool('sysctl', '-qw', 'net.ipv4.ip_forward=0');
  ip('link add fp0 type bridge');
  tool('ipset', 'create', 'dir-print', 'hash:ip');
  tool('ipset', 'add', 'dir-print', '192.0.2.1');
  tool('iptables-nft', '-N', 'FINGERPRINT');
  kernel = LinuxKernel.open({
    variant: 'nft',
    jumps: [],
    clock: systemClock,
    onError: (error) => {
      throw error;
    },
  });
});
afterEach(async () => {
  await kernel.close();
  ip('link delete fp0');
  tool('ipset', 'destroy', 'dir-print');
  tool('iptables-nft', '-X', 'FINGERPRINT');
  tool('sysctl', '-qw', 'net.ipv4.ip_forward=0');
});

const CHANGES: readonly (readonly [string, () => unknown])[] = [
  ['a rule', () => tool('iptables-nft', '-A', 'FINGERPRINT', '-j', 'ACCEPT')],
  ['its end', () => tool('iptables-nft', '-F', 'FINGERPRINT')],
  ['a rule of IPv6', () => tool('ip6tables-nft', '-P', 'FORWARD', 'ACCEPT')],
  ['an element', () => tool('ipset', 'add', 'dir-print', '192.0.2.2')],
  ['its end, and another bucket', () => tool('ipset', 'flush', 'dir-print')],
  ['a set', () => tool('ipset', 'create', 'dir-print-new', 'hash:ip')],
  ['its end, and a rename', () => tool('ipset', 'rename', 'dir-print-new', 'gone-print')],
  ['a link that is set up', () => ip('link set fp0 up')],
  ['an address of IPv4', () => ip('address add 192.0.2.9/32 dev fp0')],
  ['an address of IPv6', () => ip('address add 2001:db8::9/128 dev fp0 nodad')],
  ['the end of an address', () => ip('address del 192.0.2.9/32 dev fp0')],
  ['a sysctl', () => tool('sysctl', '-qw', 'net.ipv4.ip_forward=1')],
];

async function seesAll(): Promise<void> {
  for (const [what, act] of CHANGES) {
    const before = await settled();
    act();
    await expect.poll(print, { timeout: 10_000, interval: 20, message: what }).not.toBe(before);
  }
  tool('ipset', 'destroy', 'gone-print');
}

/** The kernel does some things later, such as giving a link that is up an address. */
async function settled(): Promise<string> {
  for (let last = await print(); ;) {
    await sleep(500);
    const next = await print();
    if (next === last) return next;
    last = next;
  }
}

describe('the fingerprint', () => {
  test(
    'is another one after any change, and the same while nothing changes',
    { timeout: 60_000 },
    async () => {
      const before = await until(/^told/);
      await sleep(QUIET_MS);
      expect(await print()).toBe(before);
      await seesAll();
      expect(await print()).toMatch(/^told/);
    },
  );

  test('tells what belongs to the choice apart from all else', { timeout: 60_000 }, async () => {
    const prints = () => kernel.fingerprint(SYSCTLS);
    await kernel.apply({ kind: 'choice-create', why: '' });
    await until(/^told/);
    await settled();
    const choices = [[{ key: '10.50.0.2', expiresAt: null }], [], [{ key: '10.50.0.3', expiresAt: null }]];
    for (const elements of choices) {
      const before = await prints();
      const prepared = await kernel.prepareChoice({ elements });
      await prepared.commit();
      await expect.poll(async () => (await prints()).choice, { timeout: 10_000 }).not.toBe(before.choice);
      expect((await prints()).rest).toBe(before.rest);
      expect(await kernel.choice()).toEqual({ elements });
    }
    const before = await prints();
    tool('ipset', 'add', 'dir-print', '192.0.2.7');
    await expect.poll(async () => (await prints()).rest, { timeout: 10_000 }).not.toBe(before.rest);
    tool('ipset', 'flush', 'dir-trial');
    expect(await kernel.choice()).toBeNull();
    await kernel.apply({ kind: 'choice-destroy', why: '' });
  });

  test('takes no notice of others’ sets', async () => {
    const before = await until(/^told/);
    tool('ipset', 'create', 'theirs', 'hash:ip');
    tool('ipset', 'add', 'theirs', '192.0.2.1');
    await sleep(QUIET_MS);
    expect(await print()).toBe(before);
    tool('ipset', 'destroy', 'theirs');
  });

  test(
    'needs nobody who looks for it: it looks itself while there is none, and there is another one soon',
    { timeout: 60_000 },
    async () => {
      await until(/^told/);
      process.kill(perl(), 'SIGKILL');
      const before = await until(/^looked/);
      tool('ipset', 'add', 'dir-print', '192.0.2.3');
      expect(await print()).not.toBe(before);
      await until(/^told/);
    },
  );

  test('leaves nobody who looks when the kernel is closed', async () => {
    await until(/^told/);
    const pid = perl();
    await kernel.close();
    await expect.poll(children, { timeout: 5000 }).not.toContain(pid);
  });
});

test('all sets come at once, and one by one where others have huge ones: the same either way', async () => {
  const observed = async () => (await kernel.observe({ links: [], sysctls: [] })).sets;
  const atOnce = await observed();
  tool('ipset', 'create', 'theirs', 'hash:ip');
  // A hash:ip takes a network's addresses one by one: 2,048 of them.
  tool('ipset', 'add', 'theirs', '10.0.0.0/21');
  expect(await observed()).toEqual(atOnce);
  expect(atOnce.find(({ name }) => name === 'dir-print')?.elements).toEqual([
    { key: '192.0.2.1', expiresAt: null },
  ]);
  tool('ipset', 'destroy', 'theirs');
});

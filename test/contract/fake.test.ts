import { describe, expect, it } from 'vitest';
import { KernelError } from '../../src/lib/errors.ts';
import { FakeKernel } from '../../src/kernel/fake.ts';
import type { Flow } from '../../src/kernel/kernel.ts';
import { JUMPS } from '../../src/render/layout.ts';
import { HandClock } from './hand-clock.ts';
import { address, apply, forGood, linkAddress, refused, rules, see, setSpec, writing } from './host.ts';
import type { Host } from './host.ts';
import { kernelContract } from './kernel-contract.ts';

const done = (act: () => void): Promise<void> =>
  new Promise((resolve) => {
    act();
    resolve();
  });

function openFake(variant: 'nft' | 'legacy'): Promise<Host> {
  const clock = new HandClock();
  const kernel = new FakeKernel({ clock, jumps: JUMPS, variant });
  return Promise.resolve({
    kernel,
    outside: {
      addBridge: (name) => done(() => kernel.addForeignBridge(name)),
      removeLink: (name) => done(() => kernel.removeLink(name)),
      addAddress: (link, added) => done(() => kernel.addForeignAddress(link, added)),
      addRule: (...rule) => done(() => kernel.addForeignRule(...rule)),
      rules: (...chain) => Promise.resolve([...kernel.rulesOf(...chain)]),
      flushTable: (family, table) => done(() => kernel.flushTable(family, table)),
      addSet: (name) => done(() => kernel.addForeignSet(name, 'hash:ip', 4)),
      flushSet: (name) => done(() => kernel.flushSet(name)),
      destroySet: (name) => done(() => kernel.destroySet(name)),
      swapSets: (a, b) => done(() => kernel.swapSets(a, b)),
    },
    now: () => clock.now(),
    advance: (ms) => done(() => clock.advance(ms)),
    addLink: (name) => done(() => kernel.addLink(name)),
    close: () => kernel.close(),
  });
}

kernelContract('the fake kernel', () => openFake('nft'));
kernelContract('the fake kernel without generations', () => openFake('legacy'));

const flow = (id: number, mark: number): Flow => ({
  family: 4,
  protocol: 'tcp',
  from: { family: 4, text: '198.51.100.7' },
  to: { family: 4, text: '192.0.2.25' },
  fromPort: 40000 + id,
  toPort: 25,
  answeredBy: { family: 4, text: '10.50.0.2' },
  answeredPort: 25,
  mark,
  id,
  closing: false,
});

const fake = () => {
  const clock = new HandClock();
  return { clock, kernel: new FakeKernel({ clock, jumps: JUMPS }) };
};
const VIPS = { kind: 'set-create', set: setSpec('dir-vips', { counters: true }) } as const;
const MASK = 0xffff0000;

describe('the fake kernel, besides', () => {
  it('counts what changed something, and nothing else', async () => {
    const { kernel } = fake();
    await apply(kernel, VIPS, VIPS, { kind: 'choice-create' });
    await apply(
      kernel,
      rules(4, writing('nat', { 'DIR-PRE': [] })),
      rules(4, writing('nat', { 'DIR-PRE': [] })),
    );
    expect(kernel.writes).toBe(3);
    await see(kernel);
    await refused(apply(kernel, { kind: 'member-add', bridge: 'br-x', link: 'vif1.0' }));
    kernel.addForeignRule(4, 'nat', 'OUTPUT', '-j ACCEPT');
    expect(kernel.writes).toBe(3);
    await (await kernel.prepareChoice({ elements: forGood('10.50.0.2') })).commit();
    expect(kernel.writes).toBe(5);
  });

  it('fails the next call of a kind with what it was given, once, and changes nothing', async () => {
    const { kernel } = fake();
    const error = new KernelError('the kernel is tired', { code: 'ENOMEM' });
    kernel.failNext('set-create', error);
    const before = kernel.dump();
    await apply(kernel, { kind: 'choice-destroy' });
    await expect(apply(kernel, VIPS)).rejects.toBe(error);
    expect(kernel.dump()).toBe(before);
    await apply(kernel, VIPS);
    kernel.failNext('commit', error);
    await apply(kernel, { kind: 'choice-create' });
    const prepared = await kernel.prepareChoice({ elements: forGood('10.50.0.2') });
    await expect(prepared.commit()).rejects.toBe(error);
    expect((await see(kernel)).choice).toEqual({ elements: [] });
  });

  it('commits a preparation once, and not after another one', async () => {
    const { kernel } = fake();
    await apply(kernel, { kind: 'choice-create' });
    const first = await kernel.prepareChoice({ elements: forGood('10.50.0.2') });
    const second = await kernel.prepareChoice({ elements: forGood('10.50.0.3') });
    await refused(first.commit(), 'ESTALE');
    await second.commit();
    await refused(second.commit(), 'ESTALE');
    const third = await kernel.prepareChoice({ elements: [] });
    await apply(kernel, { kind: 'choice-swap', choice: { elements: forGood('10.50.0.4') } });
    await refused(third.commit(), 'ESTALE');
    expect((await see(kernel)).choice).toEqual({ elements: forGood('10.50.0.4') });
  });

  it('counts, lists and ends flows by mark and mask, and one by its id', async () => {
    const { kernel } = fake();
    for (const [id, mark] of [0x40000, 0x40001, 0x60000, 0x7].entries()) kernel.addFlow(flow(id, mark));
    expect([...(await kernel.countFlows(MASK))]).toEqual([
      [0x40000, 2],
      [0x60000, 1],
    ]);
    const found: number[] = [];
    for await (const some of kernel.flows({ value: 0x40000, mask: MASK }))
      found.push(...some.map(({ id }) => id));
    expect(found).toEqual([0, 1]);
    expect(await kernel.deleteFlow(flow(0, 0x40000))).toBe(true);
    expect(await kernel.deleteFlow(flow(0, 0x40000))).toBe(false);
    expect(await kernel.deleteFlows({ value: 0x40000, mask: MASK })).toBe(1);
    expect([...(await kernel.countFlows(0xffffffff))]).toEqual([
      [0x60000, 1],
      [0x7, 1],
    ]);
    kernel.addFlow(flow(9, 0x80000000));
    expect(await kernel.deleteFlows({ value: 0x80000000, mask: MASK })).toBe(1);
  });

  it('does not count flows that are over, but lists and ends them', async () => {
    const { kernel } = fake();
    const ours = { value: 0x40000, mask: MASK };
    kernel.addFlow(flow(1, 0x40000));
    kernel.addFlow({ ...flow(2, 0x40000), closing: true });
    expect([...(await kernel.countFlows(MASK))]).toEqual([[0x40000, 1]]);
    const found: number[] = [];
    for await (const some of kernel.flows(ours)) found.push(...some.map(({ id }) => id));
    expect(found).toEqual([1, 2]);
    expect(await kernel.deleteFlows(ours)).toBe(1);
    for await (const some of kernel.flows(ours)) expect(some).toEqual([]);
  });

  it('counts traffic by element, from nothing again when the element is added again', async () => {
    const { kernel } = fake();
    const filled = { kind: 'set-add', set: VIPS.set, elements: forGood('192.0.2.25') } as const;
    await apply(kernel, VIPS, filled);
    kernel.addTraffic('dir-vips', '192.0.2.25', { packets: 2, bytes: 120 });
    expect([...(await kernel.counters('dir-vips'))]).toEqual([['192.0.2.25', { packets: 2, bytes: 120 }]]);
    await apply(kernel, filled);
    expect([...(await kernel.counters('dir-vips'))]).toEqual([['192.0.2.25', { packets: 0, bytes: 0 }]]);
  });

  it('remembers what was announced: what was asked for, and addresses that were new', async () => {
    const { kernel } = fake();
    kernel.addLink('eth0');
    const added = linkAddress('eth0', '192.0.2.25/32', { announce: true });
    await apply(kernel, { kind: 'address-add', address: added }, { kind: 'address-add', address: added });
    await kernel.announce('eth0', [{ family: 6, text: '2001:db8::25' }]);
    expect(kernel.announcements).toEqual([
      { link: 'eth0', address: '192.0.2.25' },
      { link: 'eth0', address: '2001:db8::25' },
    ]);
  });

  it('loses what a firewall’s reload does not know', async () => {
    const { kernel } = fake();
    const jumps = [{ jump: JUMPS.find(({ table }) => table === 'mangle')!, present: 0, wanted: true }];
    await apply(kernel, rules(6, writing('mangle', { 'DIR-COUNT': [] }, { jumps })));
    const before = await kernel.generation();
    kernel.reloadTable(6, 'mangle', { FORWARD: ['-i eth0 -j ACCEPT'] });
    const { mangle } = (await see(kernel)).tables[6];
    expect({ chains: mangle.chains.size, jumps: mangle.jumps }).toEqual({ chains: 0, jumps: [] });
    expect(await kernel.generation()).not.toBe(before);
  });

  it('answers nothing after it was closed', async () => {
    const { kernel } = fake();
    await kernel.close();
    await refused(see(kernel), 'EBADF');
    await refused(apply(kernel, VIPS), 'EBADF');
  });

  it('dumps all that it holds, sorted, without what has expired', async () => {
    const { clock, kernel } = fake();
    const testers = setSpec('dir-mail-testers', { type: 'hash:net', timeouts: true });
    const expiresAt = clock.now() + 1000;
    const leases = [{ key: '203.0.113.7', expiresAt }, ...forGood('198.51.100.0/24')];
    kernel.addLink('vif1.0');
    kernel.addForeignAddress('lo', address('127.0.0.1/8'));
    kernel.addForeignRule(4, 'nat', 'OUTPUT', '-o eth0 -j ACCEPT');
    kernel.addFlow(flow(7, 0x40000));
    await apply(
      kernel,
      { kind: 'bridge-add', bridge: { name: 'br-mail' } },
      { kind: 'member-add', bridge: 'br-mail', link: 'vif1.0' },
      { kind: 'address-add', address: linkAddress('br-mail', 'fd00:50::1/64') },
      { kind: 'set-create', set: testers },
      { kind: 'set-add', set: testers, elements: leases },
      { kind: 'choice-create' },
      { kind: 'choice-swap', choice: { elements: forGood('192.0.2.25,tcp:25', 'fd00:50::2') } },
      rules(4, writing('nat', { 'DIR-PRE': ['-m set --match-set dir-trial dst,dst -j RETURN'] })),
    );
    expect(kernel.dump()).toBe(dump(`  203.0.113.7 until ${expiresAt}\n`));
    clock.advance(1000);
    expect(kernel.dump()).toBe(dump(''));
  });
});

const dump = (leased: string): string => `link br-mail bridge up ours
link lo up
link vif1.0 up on br-mail
address br-mail fd00:50::1/64 ours
address lo 127.0.0.1/8
sysctl net/ipv4/ip_forward = 0
sysctl net/ipv6/conf/all/forwarding = 0
set dir-dark-x hash:ip inet timeout
set dir-dark-y hash:ip inet timeout
set dir-dark6-x hash:ip inet6 timeout
set dir-dark6-y hash:ip inet6 timeout
  fd00:50::2
set dir-mail-testers hash:net inet timeout
  198.51.100.0/24
${leased}set dir-trial list:set
  dir-trial-y
  dir-trial6-y
  dir-dark-y
  dir-dark6-y
set dir-trial-next list:set
  dir-trial-x
  dir-trial6-x
  dir-dark-x
  dir-dark6-x
set dir-trial-x hash:ip,port inet timeout
set dir-trial-y hash:ip,port inet timeout
  192.0.2.25,tcp:25
set dir-trial6-x hash:ip,port inet6 timeout
set dir-trial6-y hash:ip,port inet6 timeout
chain ip nat DIR-PRE
  -m set --match-set dir-trial dst,dst -j RETURN
chain ip nat OUTPUT
  -o eth0 -j ACCEPT
flow tcp 198.51.100.7:40007 to 192.0.2.25:25 answered by 10.50.0.2:25 mark 0x40000 id 7
`;

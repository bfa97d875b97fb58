import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeXen } from '../../src/xen/fake.ts';
import { ACTOR, Bench, definition } from './support/engine-bench.ts';

const MACS = { 'mail-a': '00:16:3e:00:00:0a', 'mail-b': '00:16:3e:00:00:0b' } as const;
type Name = keyof typeof MACS;
const ADDRESS = { 'mail-a': '10.25.0.2', 'mail-b': '10.25.0.3' } as const;

const mail = (changes: Record<string, unknown> = {}): object =>
  definition('mail', 25, {
    domus: (['mail-a', 'mail-b'] as const).map((name) => ({
      name,
      addresses: [ADDRESS[name]],
      macs: [MACS[name]],
    })),
    ...changes,
  });

let xen: FakeXen;
let bench: Bench;

/** What all of Xen's interfaces in the host have. */
const NETBACK = { mac: 'fe:ff:ff:ff:ff:ff' };

/** As `xl create` does it: the netback's interface first, which the script then puts on the bridge that xl.cfg names. */
function start(name: Name, bridge = 'br-mail'): number {
  const domid = begin(name, bridge);
  finish(name, domid, bridge);
  return domid;
}

function begin(name: Name, bridge: string): number {
  const domid = xen.start({ name, vifs: [{ mac: MACS[name], bridge, connected: false }] });
  bench.kernel.addLink(`vif${domid}.0`, NETBACK);
  return domid;
}

/** brctl(8) refuses what is on another bridge already, and then the guest is not started. */
function finish(name: Name, domid: number, bridge: string): void {
  bench.kernel.moveLink(`vif${domid}.0`, bridge);
  xen.connect(name);
}

async function end(name: Name, domid: number): Promise<void> {
  await xen.destroy(name);
  bench.kernel.removeLink(`vif${domid}.0`);
}

async function open(service = mail()): Promise<void> {
  xen = new FakeXen();
  for (const name of ['mail-a', 'mail-b'] as const)
    xen.start({ name, vifs: [{ mac: MACS[name], bridge: 'br-mail' }] });
  bench = await Bench.open({ services: { mail: service }, hypervisor: xen });
  for (const link of ['vif1.0', 'vif2.0']) bench.kernel.addLink(link, NETBACK);
  bench.kernel.addForeignBridge('br-wrong');
  await pass(5000);
}

/** In small steps: what a look finds has its own effects before the next one. */
async function pass(ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 500) await bench.pass(500);
}

async function masters(): Promise<Record<string, string | null>> {
  const links = await bench.kernel.links();
  return Object.fromEntries(
    links.flatMap(({ name, master }) => (name.startsWith('vif') ? [[name, master]] : [])),
  );
}

async function health(slot: 'a' | 'b'): Promise<{ status: string; reason: string | null }> {
  const { status, reason } = (await bench.snapshot('mail')).health[slot];
  return { status, reason };
}

const switchMail = (more: object = {}): Promise<unknown> =>
  bench.engine.switchOver({ services: ['mail'], to: 'secondary', ...more }, ACTOR);

const texts = (id: number, kind: string): string[] =>
  bench.journalAfter(id).flatMap((entry) => (entry.kind === kind ? [entry.text] : []));

beforeEach(() => open());
afterEach(() => bench.close());

describe('the interfaces of guests', () => {
  it('are put on the bridge although the configuration names none', async () => {
    expect(await masters()).toEqual({ 'vif1.0': 'br-mail', 'vif2.0': 'br-mail' });
  });

  it('are put on the right bridge when they come back under another domain, wherever its configuration put them', async () => {
    await end('mail-b', 2);
    const domid = start('mail-b', 'br-wrong');
    expect(await masters()).toMatchObject({ [`vif${domid}.0`]: 'br-wrong' });
    await pass(1000);
    expect(await masters()).toEqual({ 'vif1.0': 'br-mail', [`vif${domid}.0`]: 'br-mail' });
    await bench.expectKernelIsPlan();
  });

  it("are the script's until it is done, for it could not put them on a bridge after us", async () => {
    await end('mail-b', 2);
    const domid = begin('mail-b', 'br-wrong');
    await pass(3000);
    expect(await masters()).toMatchObject({ [`vif${domid}.0`]: null });
    bench.kernel.moveLink(`vif${domid}.0`, 'br-wrong');
    await pass(3000);
    expect(await masters()).toMatchObject({ [`vif${domid}.0`]: 'br-wrong' });
    // Of this the kernel's side says nothing.
    xen.connect('mail-b');
    await pass(1000);
    expect(await masters()).toMatchObject({ [`vif${domid}.0`]: 'br-mail' });
  });

  it("are the script's also under a name of the configuration, before Xen was looked at again", async () => {
    bench.configure({ mail: mail({ domus: domusNamed('vif-mail-a', 'vif-mail-b') }) });
    await bench.engine.reload(ACTOR);
    bench.kernel.addLink('vif-mail-b', NETBACK);
    bench.kernel.addLink('vif-mail-a');
    await pass(3000);
    expect(await masters()).toMatchObject({ 'vif-mail-b': null, 'vif-mail-a': 'br-mail' });
  });

  it('are left alone where they are of other guests, also under a number that the configuration names', async () => {
    bench.configure({ mail: mail({ domus: domusNamed('vif1.0', 'vif2.0') }) });
    await bench.engine.reload(ACTOR);
    await end('mail-b', 2);
    const other = xen.start({ name: 'other', vifs: [{ mac: '00:16:3e:00:00:ff', bridge: 'br-wrong' }] });
    bench.kernel.addLink(`vif${other}.0`);
    bench.kernel.moveLink(`vif${other}.0`, 'br-wrong');
    await pass(3000);
    expect(await masters()).toEqual({ 'vif1.0': 'br-mail', [`vif${other}.0`]: 'br-wrong' });
  });

  it('are known from the start on, before anything is put on a bridge', async () => {
    bench.reboot();
    for (const link of ['vif1.0', 'vif2.0']) bench.kernel.addLink(link, NETBACK);
    await bench.restart();
    expect(await masters()).toEqual({ 'vif1.0': 'br-mail', 'vif2.0': 'br-mail' });
  });

  it('have what QEMU emulates in their place beside them, once its script is done', async () => {
    for (const link of ['vif1.0-emu', 'vif2.0-emu']) bench.kernel.addLink(link, NETBACK);
    bench.kernel.moveLink('vif2.0-emu', 'br-wrong');
    await pass(3000);
    expect(await masters()).toMatchObject({ 'vif1.0-emu': null, 'vif2.0-emu': 'br-mail' });
  });
});

const domusNamed = (a: string, b: string): object[] => [
  { name: 'mail-a', addresses: [ADDRESS['mail-a']], vifs: [a] },
  { name: 'mail-b', addresses: [ADDRESS['mail-b']], vifs: [b] },
];

describe('a guest that cannot answer', () => {
  it.each([
    ['has crashed', () => xen.crash('mail-b'), 'domain mail-b (2) has crashed'],
    ['is paused', () => xen.pause('mail-b'), 'domain mail-b (2) is paused'],
    ['is gone', () => xen.destroy('mail-b'), 'Xen has no domain mail-b'],
  ])('is no aim of a switch when it %s, unless that is forced', async (_, happen, reason) => {
    await happen();
    bench.sick.add(ADDRESS['mail-b']);
    await expect(switchMail()).rejects.toThrow(`mail-b of mail is not healthy: ${reason}`);
    expect(await health('b')).toEqual({ status: 'unhealthy', reason });
    const { refusals, services } = await bench.engine.preview({ services: ['mail'], to: 'secondary' });
    expect(services[0]!.health).toMatchObject({ status: 'unhealthy', reason });
    expect(refusals).toEqual([
      { service: 'mail', text: `mail-b is not healthy: ${reason}`, forceable: true },
    ]);
    await switchMail({ force: true });
    expect(await bench.reached('192.0.2.25')).toBe(ADDRESS['mail-b']);
    // A rollback asks for nobody's health.
    await xen.crash('mail-a');
    const { activeSwitch } = await bench.snapshot('mail');
    await bench.engine.rollback(activeSwitch!.id, ACTOR);
    expect(await bench.reached('192.0.2.25')).toBe(ADDRESS['mail-a']);
  });

  it('is no aim where nobody else would notice, because nothing is probed', async () => {
    bench.configure({ mail: mail({ health: { check: 'off' } }) });
    await bench.engine.reload(ACTOR);
    await xen.crash('mail-b');
    await expect(switchMail()).rejects.toThrow('has crashed');
  });

  it('is shown at once, before a probe has failed', async () => {
    await pass(10_000);
    expect(await health('b')).toEqual({ status: 'healthy', reason: null });
    await xen.crash('mail-b');
    await bench.pass(200);
    expect(await health('b')).toMatchObject({ status: 'unhealthy' });
    expect((await bench.snapshot('mail')).domains.b).toMatchObject({ state: 'crashed', domid: 2 });
  });

  it('is seen as soon as its probes fail, also when it is paused, of which nobody tells', async () => {
    await pass(60_000);
    await xen.pause('mail-b');
    bench.sick.add(ADDRESS['mail-b']);
    const looks = xen.looks;
    await pass(12_000);
    expect(xen.looks).toBeGreaterThan(looks);
    expect(await health('b')).toMatchObject({ reason: 'domain mail-b (2) is paused' });
  });
});

it('a DomU that answers and is called otherwise in Xen is healthy, and can be switched to', async () => {
  bench.close();
  xen = new FakeXen();
  bench = await Bench.open({ services: { mail: definition('mail', 25) }, hypervisor: xen });
  await pass(10_000);
  expect((await bench.snapshot('mail')).domains.b).toMatchObject({ state: 'absent' });
  expect(await health('b')).toEqual({ status: 'healthy', reason: null });
  await switchMail();
  expect(await bench.reached('192.0.2.25')).toBe(ADDRESS['mail-b']);
});

describe('the journal', () => {
  it('tells what becomes of a guest, by its domain, and every listener of the service hears of it', async () => {
    const last = bench.lastJournal();
    const heard: string[] = [];
    bench.engine.events.on('service', (name) => heard.push(name));
    await xen.crash('mail-b');
    await pass(1000);
    await end('mail-b', 2);
    await pass(5000);
    start('mail-b');
    await pass(1000);
    expect(texts(last, 'domu')).toEqual([
      'mail-b of mail has crashed (domain 2)',
      'mail-b of mail is gone: Xen has no domain mail-b any more, it was domain 2 before',
      'mail-b of mail runs again (domain 3)',
    ]);
    expect(bench.journalAfter(last)[0]).toMatchObject({
      kind: 'domu',
      services: ['mail'],
      by: 'xen',
      details: { domu: 'mail-b', state: 'crashed', domid: 2 },
    });
    expect(heard).toContain('mail');
  });

  it('tells it once, also of what happened while no director ran', async () => {
    await bench.stop();
    await end('mail-b', 2);
    start('mail-b');
    const last = 0;
    await bench.start();
    await pass(5000);
    await bench.restart();
    await pass(5000);
    expect(texts(last, 'domu')).toEqual([
      'mail-b of mail was started anew (domain 3), it was domain 2 before',
    ]);
  });

  it('tells that Xen does not answer, and directing goes on', async () => {
    const last = bench.lastJournal();
    xen.fail('xl list failed (1): no');
    await pass(60_000);
    expect(texts(last, 'error')).toEqual(['Xen does not tell how the DomUs are: xl list failed (1): no']);
    await bench.restart();
    expect(bench.engine.readiness().ready).toBe(true);
    await switchMail();
    expect(await bench.reached('192.0.2.25')).toBe(ADDRESS['mail-b']);
  });
});

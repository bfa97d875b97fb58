import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Held } from '../../src/lab/clients.ts';
import type { World } from '../../src/lab/world.ts';
import { done } from './support/directing.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { editConfig } from './support/edit-config.ts';
import { kernelText } from './support/kernel-text.ts';
import { Operator } from './support/operator.ts';
import { FAMILIES } from './support/reach.ts';
import { Recorder, Writers } from './support/writing.ts';

const PORT = 2600;
const KEPT = 3;

let directed: DirectedWorld;
let operator: Operator;
let world: World;
let recorders: Readonly<Record<'a' | 'b', Recorder>>;
const open: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  directed = await directedWorld();
  operator = new Operator(directed);
  ({ world } = directed);
  const [a, b] = await Promise.all(['mail-a', 'mail-b'].map((domu) => Recorder.start(world, domu, PORT)));
  recorders = { a: a!, b: b! };
  await editConfig(directed.daemon.configFile, ({ services }) => {
    (services['mail']!['ports'] as unknown[]).push(`${PORT}/tcp`, `${PORT}/udp`);
  });
  await done(directed, 'reload');
  await directed.daemon.healthy();
}, 60_000);

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.stop()));
  if (directed.daemon.process.ended) await directed.daemon.start();
  await operator.settleAll();
  if ((await operator.service('mail')).held) await done(directed, 'release', 'mail');
});
afterAll(() => directed.end());

/** Everything that is held, with the seconds that are left to it. */
async function heldElements(): Promise<{ key: string; seconds: number }[]> {
  const texts = await Promise.all(
    ['dir-hold', 'dir-hold6'].map((set) => world.must('dom0', ['ipset', 'save', set])),
  );
  return texts
    .flatMap((text) => [...text.matchAll(/^add \S+ (\S+) timeout (\d+)/gm)])
    .map(([, key = '', seconds]) => ({ key, seconds: Number(seconds) }));
}

/** A connection that is kept; resolves when it has been answered. */
async function keep(host: string, port: number, family: 4 | 6): Promise<Held> {
  const one = world.hold('customer', { host, port, family, every: 50 });
  open.push(one);
  await one.next(({ text }) => text !== '', 10_000);
  return one;
}

const keepBoth = (host: string, port: number): Promise<Held[]> =>
  Promise.all(FAMILIES.map((family) => keep(host, port, family)));

const newOnes = (timeout?: number): Promise<(string | null)[]> =>
  operator.reached('customer', 'mail', timeout);

describe('a hold', () => {
  it('lets packets wait: what is open goes on after it, and new connections get through then, in both families', async () => {
    const [kept, others] = [await keepBoth('mail', 25), await keepBoth('ldap', 389)];
    await done(directed, 'hold', 'mail', '--for', '60s');
    // Two answers that were on their way may still come.
    const before = kept.map(({ answers }) => answers.length);
    const waiting = newOnes(20_000);
    expect(await newOnes(700)).toEqual(['TIMEOUT', 'TIMEOUT']);
    kept.forEach(({ answers }, i) => expect(answers.length).toBeLessThanOrEqual((before[i] ?? 0) + 2));
    for (const one of others) expect(await one.next()).toMatchObject({ text: 'ldap-a: line', error: null });

    await done(directed, 'release', 'mail');
    expect(await waiting).toEqual(['mail-a', 'mail-a']);
    for (const one of kept) expect(await one.next(undefined, 15_000)).toMatchObject({ error: null });
    expect(kept.map(({ ended }) => ended)).toEqual([null, null]);
    expect(await heldElements()).toEqual([]);
  });
});

describe('a switch with a hold', () => {
  const synRetransmissions = async (): Promise<number> => {
    const text = await world.must('customer', ['nstat', '-asz', 'TcpExtTCPSynRetrans']);
    return Number(/TCPSynRetrans\s+(\d+)/.exec(text)?.[1]);
  };

  /** Both protocols reach this DomU now. */
  const heardBy = (recorder: Recorder): Promise<unknown> => {
    const { tcp, udp } = recorder.numbers;
    const [hadTcp, hadUdp] = [tcp.length, udp.length];
    return expect
      .poll(() => Math.min(tcp.length - hadTcp, udp.length - hadUdp), { timeout: 15_000 })
      .toBeGreaterThan(50);
  };

  it.each([1, 2, 3])('lets no write reach the old DomU after the first at the new one (%i)', async () => {
    const { a, b } = recorders;
    const { ipv4, ipv6 } = world.service('mail');
    const writers = await Writers.start(world, 'customer', { hosts: [ipv4, ipv6], port: PORT, kept: KEPT });
    a.forget();
    b.forget();
    await heardBy(a);
    const retransmitted = await synRetransmissions();
    await done(directed, 'switch', 'mail', '--to', 'secondary', '--hold', '5s');
    expect(await heldElements()).toEqual([]);
    await heardBy(b);
    await expect.poll(() => new Set(b.numbers.tcp).size, { timeout: 15_000 }).toBeGreaterThan(200);
    const { cut, failed } = await writers.stop();

    for (const protocol of ['tcp', 'udp'] as const) {
      const [lastOfOld, firstOfNew] = [Math.max(...a.numbers[protocol]), Math.min(...b.numbers[protocol])];
      expect(lastOfOld, protocol).toBeLessThan(firstOfNew);
    }
    expect(failed).toEqual([]);
    expect(cut).toBe(2 * KEPT);
    // Whoever was connecting meanwhile has tried twice: one new connection and those that were cut, in each family.
    expect((await synRetransmissions()) - retransmitted).toBeLessThanOrEqual(2 * (1 + KEPT));
    expect((await operator.service('mail')).held).toBe(false);
  });

  it('ends what was open, though the service says that connections drain, and only that', async () => {
    const [kept, others] = [await keepBoth('mail', 25), await keepBoth('ldap', 389)];
    const trial = await operator.switch('mail', { hold: '5s' });
    expect(trial.flows).toMatchObject({ kept: 0, cut: kept.length });
    await expect
      .poll(() => kept.map(({ ended }) => ended), { timeout: 15_000 })
      .toEqual(['ECONNRESET', 'ECONNRESET']);
    for (const one of others) expect(await one.next()).toMatchObject({ text: 'ldap-a: line', error: null });
    await operator.expectReached('customer', 'mail', 'mail-b');
  });

  it('is refused where connections are to drain, with the reason, and changes nothing', async () => {
    const kept = await keepBoth('mail', 25);
    const [text, { generation }, journal] = [
      await kernelText(world),
      await operator.service('mail'),
      await operator.journal(),
    ];
    const { code, stderr, stdout } = await directed.director(
      ...['switch', 'mail', '--to', 'secondary', '--hold', '5s', '--connections', 'drain'],
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(
      /a switch with a hold ends open connections.*nothing was switched/,
    );
    const body = { services: ['mail'], to: 'secondary', hold: '5s', connections: 'drain' };
    expect(await operator.must(422, 'POST', '/v1/switches', body)).toMatchObject({
      status: 422,
      errors: [{ path: '/connections' }],
    });
    expect(await kernelText(world)).toBe(text);
    expect(await operator.service('mail')).toMatchObject({ phase: 'settled', live: 'primary', generation });
    expect(await operator.journal()).toEqual(journal);
    for (const one of kept) expect(await one.next()).toMatchObject({ text: 'mail-a: line', error: null });
  });

  it('leaves held what an operator holds already', async () => {
    await done(directed, 'hold', 'mail', '--for', '10m');
    const before = await heldElements();
    expect(before.every(({ seconds }) => seconds > 300)).toBe(true);
    await operator.switch(['mail', 'ldap'], { hold: '5s', force: true });
    const after = await heldElements();
    expect(after.map(({ key }) => key)).toEqual(before.map(({ key }) => key));
    expect(after.every(({ seconds }) => seconds > 300)).toBe(true);
    expect(await operator.service('mail')).toMatchObject({ held: true, phase: 'trial' });
    expect(await newOnes(700)).toEqual(['TIMEOUT', 'TIMEOUT']);
    await operator.expectReached('customer', 'ldap', 'ldap-b');
    await done(directed, 'release', 'mail');
    await operator.expectReached('customer', 'mail', 'mail-b');
  });
});

describe('a director that is killed in the middle of a switch with a hold', () => {
  /** Lets the daemon run in slices until it has a hold in the kernel; answers false where the switch was done first. */
  async function stopWithHold(isDone: () => boolean): Promise<boolean> {
    const { process: daemon } = directed.daemon;
    while (!isDone()) {
      daemon.signal('SIGSTOP');
      if ((await heldElements()).length > 0) return true;
      daemon.signal('SIGCONT');
      await new Promise(setImmediate);
    }
    return false;
  }

  async function killInTheHold(hold: string): Promise<void> {
    for (let attempt = 0; attempt < 20; attempt++) {
      let isDone = false;
      const call = operator
        .switch('mail', { hold, force: true })
        .then(() => (isDone = true))
        .catch(() => (isDone = true));
      if (await stopWithHold(() => isDone)) {
        await directed.daemon.kill();
        await call;
        return;
      }
      await call;
      await operator.settleAll();
    }
    throw new Error('no switch was ever seen with its hold');
  }

  it('leaves none that lasts longer than was asked, and everybody on one DomU', async () => {
    await killInTheHold('3s');
    const left = await heldElements();
    expect(left.filter(({ seconds }) => seconds > 3)).toEqual([]);
    await expect.poll(heldElements, { timeout: 15_000 }).toEqual([]);
    const reached = await newOnes(10_000);
    expect([
      ['mail-a', 'mail-a'],
      ['mail-b', 'mail-b'],
    ]).toContainEqual(reached);

    await directed.daemon.start();
    const { held, live, primary, secondary } = await operator.service('mail');
    expect({ held, reached }).toEqual({
      held: false,
      reached: reached.map(() => (live === 'primary' ? primary : secondary).domu),
    });
    await operator.expectReached('customer', 'mail', reached[0] ?? '');
  });

  it('starts again without it, whatever time was left', async () => {
    await killInTheHold('10m');
    expect((await heldElements()).length).toBeGreaterThan(0);
    await directed.daemon.start();
    await expect.poll(heldElements, { timeout: 15_000 }).toEqual([]);
    expect((await operator.service('mail')).held).toBe(false);
    const [first, second] = await newOnes(10_000);
    expect(first).toMatch(/^mail-[ab]$/);
    expect(second).toBe(first);
  });
});

import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JournalEntry } from '../../src/api/contract.ts';
import type { Held } from '../../src/lab/clients.ts';
import type { LabFamily, LabProtocol } from '../../src/lab/topology.ts';
import type { World } from '../../src/lab/world.ts';
import { done, variedServices } from './support/directing.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Metrics } from './support/metrics.ts';
import { Operator } from './support/operator.ts';
import { FAMILIES } from './support/reach.ts';
import { DIRECTOR } from './support/scripts.ts';

/*
 * What users of similar programs ran into, by their issues. Those that are not here bear theirs in their own files:
 * grep for the project's name and `#`.
 */

let directed: DirectedWorld;
let operator: Operator;
let world: World;
const open: Held[] = [];

beforeAll(async () => {
  directed = await directedWorld({ services: variedServices() });
  operator = new Operator(directed);
  ({ world } = directed);
}, 60_000);
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.stop()));
  await operator.settleAll();
});
afterAll(() => directed.end());

/** A connection, or a sender, that is kept; resolves when it has been answered. */
async function keep(
  client: string,
  host: string,
  port: number,
  protocol: LabProtocol = 'tcp',
  family: LabFamily = 4,
): Promise<Held> {
  const one = world.hold(client, { host, port, protocol, family, every: 50 });
  open.push(one);
  await one.next(({ text }) => text !== '', 10_000);
  return one;
}

const keepBoth = (...args: [string, string, number, LabProtocol?]): Promise<Held[]> =>
  Promise.all(FAMILIES.map((family) => keep(args[0], args[1], args[2], args[3], family)));

/** The kernel's own numbers of all flows that the director has marked: an entry that was made anew has another. */
async function flowIds(protocol: LabProtocol): Promise<string[]> {
  const texts = await Promise.all(
    ['ipv4', 'ipv6'].map((family) =>
      world.must('dom0', ['conntrack', '-L', '-f', family, '-p', protocol, '-o', 'id']),
    ),
  );
  return texts
    .flatMap((text) => [...text.matchAll(/^.*mark=(?!0 ).* id=(\d+)/gm)])
    .map(([, id = '']) => id)
    .toSorted();
}

const staysWith = async (one: Held, domu: string): Promise<void> =>
  expect(await one.next()).toMatchObject({
    text: expect.stringMatching(`^${domu}[: ]`) as string,
    error: null,
  });

describe('a restart', () => {
  it.each(['stopped', 'killed'] as const)(
    'of a director that was %s drops no flow, for nothing has changed (kubernetes#122740)',
    async (how) => {
      const kept = [
        ...(await keepBoth('customer', 'mail', 25)),
        ...(await keepBoth('customer', 'mail', 514, 'udp')),
        ...(await keepBoth('customer', 'ldap', 389, 'udp')),
      ];
      const before = [await flowIds('tcp'), await flowIds('udp')] as const;
      expect(before.map((ids) => ids.length >= 2)).toEqual([true, true]);
      await (how === 'killed' ? directed.daemon.kill() : directed.daemon.stop());
      await directed.daemon.start();
      for (const one of kept) expect(await one.next()).toMatchObject({ error: null });
      expect(await flowIds('tcp')).toEqual(expect.arrayContaining(before[0]));
      expect(await flowIds('udp')).toEqual(expect.arrayContaining(before[1]));
      expect(kept.map(({ ended }) => ended)).toEqual(kept.map(() => null));
    },
  );
});

describe('the flows that a switch ends', () => {
  it('are told by service and DomU, not by the port that the DomU has, nor by the address alone (moby#53384, moby#46276)', async () => {
    // Mail and ldap share their address; all of these but the senders arrive at port 8080 of some DomU.
    const [cut, others] = [
      await keepBoth('customer', 'mail', 80),
      [
        ...(await keepBoth('customer', 'ldap', 81)),
        ...(await keepBoth('customer', 'svc-3', 81)),
        await keep('admin', world.domu('mail-a').ipv4, 8080),
        await keep('tester', 'mail', 80),
      ],
    ];
    const [senders, otherSenders] = [
      await keepBoth('customer', 'mail', 53, 'udp'),
      [
        ...(await keepBoth('customer', 'ldap', 389, 'udp')),
        ...(await keepBoth('customer', 'svc-3', 389, 'udp')),
      ],
    ];
    const trial = await operator.switch('mail', { connections: 'cut' });
    expect(trial.flows).toMatchObject({ kept: 0, cut: cut.length });
    expect(trial.flows.udpFlushed).toBeGreaterThanOrEqual(senders.length);
    await expect.poll(() => cut.every(({ ended }) => ended === 'ECONNRESET'), { timeout: 15_000 }).toBe(true);
    for (const one of senders) await one.next(({ text }) => text.startsWith('mail-b '), 10_000);
    for (const one of [...others, ...otherSenders]) expect(await one.next()).toMatchObject({ error: null });
    expect(others.map(({ ended }) => ended)).toEqual(others.map(() => null));
    for (const one of otherSenders)
      expect(new Set(one.answers.map(({ text }) => text.split(' ')[0])).size).toBe(1);
  });

  it('are none of those that end by themselves, through switch, confirm and reload (kubernetes#101607)', async () => {
    const old = await keepBoth('customer', 'svc-3', 389);
    await operator.confirm(await operator.switch('svc-3', { connections: 'drain', drainFor: 'never' }));
    await done(directed, 'reload');
    for (const one of old) await staysWith(one, 'svc-3-a');
    await operator.expectReached('customer', 'svc-3', 'svc-3-b');
    await operator.confirm(await operator.switch('svc-3'));
    await operator.testing('svc-3', 'open');
    for (const one of old) await staysWith(one, 'svc-3-a');
  });
});

describe('connections that drain', () => {
  const told = async (): Promise<string> => {
    const text = await done(directed, 'status', 'mail');
    return /draining: (\d+ flows? on \S+), until \S+ \(in [^)]+\)/.exec(text)?.[1] ?? 'none';
  };
  const become = (text: string): Promise<unknown> => expect.poll(told, { timeout: 10_000 }).toBe(text);

  it('are counted down to nothing; testers’ are not among them (pgbouncer#1311, cloudnative-pg#8299)', async () => {
    const [one, two] = await keepBoth('customer', 'mail', 25);
    const trial = await operator.switch('mail', { connections: 'drain', drainFor: '1h' });
    await become('2 flows on mail-a');
    const { draining } = await operator.service('mail');
    expect(draining).toEqual({ domu: 'mail-a', flows: 2, until: trial.drainUntil });
    await one?.stop();
    await become('1 flow on mail-a');
    await two?.stop();
    await become('none');

    const young = await keep('customer', 'mail', 25);
    await keep('tester', 'mail', 25);
    await operator.rollBack(trial);
    await become('1 flow on mail-b');
    await young.stop();
    await become('none');
  });
});

describe('a trial that nobody confirms', () => {
  it('goes back, and never silently: events, journal, metrics, log and status tell (vyos-1x#4128)', async () => {
    const { daemon } = directed;
    const before = await Metrics.of(daemon.socket);
    const follower = world.spawn('dom0', [
      ...[...DIRECTOR, '--socket', daemon.socket, 'journal', '--follow', '--json', '-n', '1'],
    ]);
    const event = follower.line((line) => (JSON.parse(line) as JournalEntry).kind === 'expire', 20_000);
    const kept = await keep('customer', 'ldap', 389);
    const trial = await operator.switch('mail', { confirmWithin: '3s', reason: 'a try' });
    const [entry] = [JSON.parse(await event) as JournalEntry];
    expect(entry).toMatchObject({ services: ['mail'], by: 'director', details: { switch: trial.id } });
    expect(entry.text).toMatch(/mail is back on mail-a: nobody confirmed the trial in time/);
    await follower.stop();
    await operator.expectReached('customer', 'mail', 'mail-a');
    expect(await operator.switchById(trial.id)).toMatchObject({
      state: 'expired',
      error: 'nobody confirmed it in time',
    });
    await expect
      .poll(() => readFile(daemon.logFile, 'utf8'), { timeout: 10_000 })
      .toMatch(/warn mail is back on mail-a: nobody confirmed the trial in time/);
    const now = await Metrics.of(daemon.socket);
    expect(now.growth(before, 'switches_total', { outcome: 'expired' })).toBe(1);
    expect(await done(directed, 'journal', '-n', '3')).toContain('nobody confirmed the trial in time');
    // No reboot, nor anything else that others would notice.
    await staysWith(kept, 'ldap-a');
  });
});

describe('service-to-service calls', () => {
  it('follow the tester: a DomU that is enrolled is on the secondaries of others, and is told so (argo-rollouts#2717, argo-rollouts#4131)', async () => {
    const { ipv4, ipv6 } = world.domu('svc-3-b');
    const seen = async (client: string): Promise<(string | null)[]> =>
      Promise.all(
        FAMILIES.map(async (family) => (await world.ask(client, { host: 'mail', port: 25, family })).domu),
      );
    const toldOf = async (source: string): Promise<string | undefined> => {
      const told = (await operator.must(200, 'GET', `/v1/whoami?source=${source}`)) as {
        services: { service: string; domu: string }[];
      };
      return told.services.find(({ service }) => service === 'mail')?.domu;
    };
    expect(await seen('svc-3-b')).toEqual(['mail-a', 'mail-a']);
    for (const source of [ipv4, ipv6]) await done(directed, 'testers', 'mail', 'add', source, '--for', '1h');
    expect(await seen('svc-3-b')).toEqual(['mail-b', 'mail-b']);
    expect([await toldOf(ipv4), await toldOf(ipv6)]).toEqual(['mail-b', 'mail-b']);
    expect(await seen('svc-3-a')).toEqual(['mail-a', 'mail-a']);
    for (const source of [ipv4, ipv6]) await done(directed, 'testers', 'mail', 'remove', source);
    expect(await seen('svc-3-b')).toEqual(['mail-a', 'mail-a']);
    expect(await toldOf(ipv4)).toBe('mail-a');
  });
});

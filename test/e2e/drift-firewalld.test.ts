import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { World } from '../../src/lab/world.ts';
import { Asking } from './support/asking.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Drifting } from './support/drift.ts';
import { Firewalld } from './support/firewalld.ts';
import type { Backend } from './support/firewalld.ts';
import { Metrics } from './support/metrics.ts';
import { FAMILIES, aims, expected, reachOf } from './support/reach.ts';
import type { Reach } from './support/reach.ts';
import { DIRECTOR } from './support/scripts.ts';

const WITHIN = { timeout: 20_000, interval: 50 };
const TRIAL_SECONDS = 12;
const MAIL = aims('mail', ['25/tcp', '514/udp']);
const CLIENTS = ['customer', 'neighbour', 'ldap-a', 'admin', 'tester', 'beta'];
const TESTERS = ['tester', 'beta'];
const MAIL_A = aims('mail-a', ['25/tcp']);
const MAIL_B = aims('mail-b', ['25/tcp']);
/** Who goes to a DomU's own address: from outside, and from another DomU. */
const DIRECT_CLIENTS = ['customer', 'ldap-a', 'admin', 'tester'];

let directed: DirectedWorld;
let world: World;
let drifting: Drifting;

beforeAll(async () => {
  directed = await directedWorld();
  ({ world } = directed);
  drifting = new Drifting(directed);
}, 60_000);
afterAll(() => directed.end());

/**
 * All rules of a namespace but the director's, in any order; firewalld's are there with either backend. It puts some of
 * them at a place that it counts, which is one later where a jump of the director's is back already.
 */
async function firewallOf(namespace: string): Promise<string> {
  const dumps = [['iptables-save'], ['ip6tables-save'], ['nft', '--stateless', 'list', 'ruleset', 'inet']];
  const texts = await Promise.all(dumps.map((argv) => world.must(namespace, argv)));
  return (
    texts
      .join('')
      .replaceAll(/^#.*\n/gm, '')
      .replaceAll(/^.*DIR-.*\n/gm, '')
      .replaceAll(/\[\d+:\d+\]/g, '[0:0]')
      // Empty tables are there once iptables was used at all.
      .replaceAll(/^\*\w+\n(:\w+ ACCEPT \[0:0\]\n)*COMMIT\n/gm, '')
  );
}

/** The director's chains and its jumps, in both families. */
async function oursIn(): Promise<string[]> {
  const texts = await Promise.all(
    ['iptables-save', 'ip6tables-save'].map((tool) => world.must('dom0', [tool])),
  );
  return texts.flatMap((text) => {
    const lines = text.replaceAll(/\[\d+:\d+\]/g, '').split('\n');
    return lines.filter((line) => line.includes('DIR-'));
  });
}

/** What `director doctor` says in the Dom0. */
const diagnosis = (): Promise<string> => world.must('dom0', [...DIRECTOR, 'doctor']);

const askAll = (): Record<'customers' | 'testers', Asking[]> => ({
  customers: FAMILIES.map((family) => new Asking(world, 'customer', 'mail', family)),
  testers: FAMILIES.map((family) => new Asking(world, 'tester', 'mail', family)),
});

/** While customers and testers ask, firewalld does something that takes all rules of the director away. */
async function isPutBack(what: string, act: () => Promise<void>): Promise<void> {
  const [ours, last] = [await oursIn(), await drifting.lastEntry()];
  const counted = await Metrics.of(directed.daemon.socket);
  const { customers, testers } = askAll();
  const all = [...customers, ...testers];
  try {
    await Promise.all(all.map((one) => one.goesOn()));
    await act();
    const since = Date.now();
    await expect.poll(() => drifting.nothingPending().then(() => oursIn()), WITHIN).toEqual(ours);
    // A repair is told when another look has found that it holds. With its backend iptables firewalld takes away a
    // table after the other, and ours may be put back in between.
    const repairs = await drifting.named([/chains that differ: .*DIR-/, /jumps: .* to DIR-/], last);
    const now = await Metrics.of(directed.daemon.socket);
    expect(now.growth(counted, 'repairs_total', { kind: 'rules' })).toBeGreaterThan(0);
    await Promise.all(all.map((one) => one.goesOn()));
    const after = Math.max(0, Date.parse(repairs.at(-1)?.at ?? '') - since);
    console.log(`${what}: ${repairs.length} repairs, the last ${after} ms after it`);
  } finally {
    for (const one of all) console.log(`  ${await one.stop()}`);
  }
  expect(customers.map(({ reached }) => reached)).toEqual([['mail-a'], ['mail-a']]);
  expect(testers.map(({ reached }) => reached)).toEqual([['mail-b'], ['mail-b']]);
  expect(await reachOf(world, CLIENTS, MAIL)).toEqual(directedAsEver());
}

const directedAsEver = (): Reach => ({
  ...expected(world, CLIENTS, MAIL, 'mail-a'),
  ...expected(world, TESTERS, MAIL, 'mail-b'),
});

/** A zone of the DomUs' bridges, and that it may be forwarded to and from: what the README tells to do. */
async function letDomusPass(firewalld: Firewalld): Promise<void> {
  // One after another: of several at once some are lost.
  const each = async (...lines: string[][]): Promise<void> => {
    for (const line of lines) await firewalld.command('--permanent', ...line);
  };
  await each(['--new-zone=domus'], ['--new-policy=to-domus'], ['--new-policy=from-domus']);
  await each(
    ['--zone=domus', '--add-interface=br-mail', '--add-interface=br-ldap'],
    ['--policy=to-domus', '--add-ingress-zone=ANY'],
    ['--policy=to-domus', '--add-egress-zone=domus'],
    ['--policy=to-domus', '--set-target=ACCEPT'],
    ['--policy=from-domus', '--add-ingress-zone=domus'],
    ['--policy=from-domus', '--add-egress-zone=ANY'],
    ['--policy=from-domus', '--set-target=ACCEPT'],
  );
}

const linesOf = (text: string): string[] => text.split('\n').toSorted();

describe.each<Backend>(['nftables', 'iptables'])(
  'beside Debian’s firewalld with its backend %s, ours is put back and named, and everybody directed as before,',
  (backend) => {
    let firewalld: Firewalld;
    /** What firewalld makes of a machine where there is no director: while it runs, and when it has ended. */
    let alone: { running: string; stopped: string };

    beforeAll(async () => {
      const open = (namespace: string): Promise<Firewalld> =>
        Firewalld.beside({
          world,
          namespace,
          directory: `${directed.directory}/${backend}-${namespace}`,
          backend,
        });
      const other = await open('neighbour');
      await other.start();
      const running = await firewallOf('neighbour');
      await other.stop();
      alone = { running, stopped: await firewallOf('neighbour') };
      expect(alone.running).toMatch(/FWD_public/);
      expect(alone.stopped).not.toMatch(/FWD_public/);
      firewalld = await open('dom0');
    }, 60_000);

    it('when it starts', async () => {
      await isPutBack(`${backend}, start`, () => firewalld.start());
      expect(await firewallOf('dom0')).toBe(alone.running);
    }, 60_000);

    it.each(['--reload', '--complete-reload'])(
      'when it is told to %s',
      async (order) => {
        await isPutBack(`${backend}, ${order}`, () => firewalld.command(order));
        // It counts places while ours are put back, so one of its own may come to stand elsewhere among them.
        expect(linesOf(await firewallOf('dom0'))).toEqual(linesOf(alone.running));
      },
      60_000,
    );

    it('and a trial goes on to its deadline', async () => {
      const { operator } = drifting;
      const trial = await operator.switch('mail', { confirmWithin: `${TRIAL_SECONDS}s` });
      const last = await drifting.lastEntry();
      const { customers, testers } = askAll();
      await firewalld.command('--reload');
      await expect.poll(async () => (await drifting.repairsSince(last)).length, WITHIN).toBeGreaterThan(0);
      const left = (await world.must('dom0', ['ipset', 'save'])).matchAll(
        /^add dir-\w+-[xy] .* timeout (\d+)$/gm,
      );
      for (const [, seconds] of left) expect(Number(seconds)).toBeLessThanOrEqual(TRIAL_SECONDS);
      await expect
        .poll(async () => (await operator.switchById(trial.id)).state, { ...WITHIN, timeout: 40_000 })
        .toBe('expired');
      await Promise.all([...customers, ...testers].map((one) => one.goesOn()));
      for (const one of [...customers, ...testers]) await one.stop();
      expect(customers.map(({ reached }) => reached)).toEqual(FAMILIES.map(() => ['mail-b', 'mail-a']));
      expect(testers.map(({ reached }) => reached)).toEqual(FAMILIES.map(() => ['mail-b']));
      const ended = await operator.switchById(trial.id);
      expect(ended.confirmBy).toBe(trial.confirmBy);
      expect(Date.parse(ended.endedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(trial.confirmBy ?? ''));
      const since = (await operator.journal()).filter(({ id }) => id > last).map(({ kind }) => kind);
      expect(since.filter((kind) => kind !== 'repair')).toEqual(['expire']);
    }, 90_000);

    it('while it refuses what is not directed, until it is told what the README says', async () => {
      expect(await reachOf(world, DIRECT_CLIENTS, [...MAIL_A, ...MAIL_B])).toEqual({
        ...expected(world, DIRECT_CLIENTS, [...MAIL_A, ...MAIL_B], null),
      });
      expect(await diagnosis()).toMatch(/^! firewalld keeps a firewall on this host$/m);
      await letDomusPass(firewalld);
      await isPutBack(`${backend}, --reload with policies`, () => firewalld.command('--reload'));
      expect(await reachOf(world, DIRECT_CLIENTS, [...MAIL_A, ...MAIL_B])).toEqual({
        ...expected(world, DIRECT_CLIENTS, [...MAIL_A, ...MAIL_B], null),
        ...expected(world, DIRECT_CLIENTS, MAIL_A, 'mail-a'),
        ...expected(world, ['admin', 'tester'], MAIL_B, 'mail-b'),
      });
    }, 60_000);

    it('when it is stopped', async () => {
      await isPutBack(`${backend}, stop`, () => firewalld.stop());
      expect(await firewallOf('dom0')).toBe(alone.stopped);
      expect(await diagnosis()).not.toMatch(/firewalld/);
    }, 60_000);
  },
);

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Metrics } from './support/metrics.ts';
import { Operator } from './support/operator.ts';

let directed: DirectedWorld;
let operator: Operator;

beforeAll(async () => {
  directed = await directedWorld();
  operator = new Operator(directed);
});
afterAll(() => directed.end());

const scrape = (): Promise<Metrics> => Metrics.of(directed.daemon.socket);
/** A busy machine is no failure. */
const PATIENCE = { timeout: 20_000 };
const ask = (client: string, port = 8000) => directed.world.ask(client, { host: 'mail', port });
const A = { service: 'mail', role: 'primary', domu: 'mail-a' };
const B = { service: 'mail', role: 'secondary', domu: 'mail-b' };
const MAIL = { service: 'mail' };

/** The kernel's counters are read as they are: what has been answered has been counted. */
async function growth(name: string, labels: Readonly<Record<string, string>>, work: () => Promise<unknown>) {
  const before = await scrape();
  await work();
  return (await scrape()).growth(before, name, labels);
}

describe('new connections', () => {
  it('are counted once each, whatever is said in them, for the DomU that they are directed to', async () => {
    const before = await scrape();
    for (let n = 0; n < 7; n++) await ask('customer');
    for (let n = 0; n < 3; n++) await ask('tester', 25);
    await directed.world.ask('customer', { host: 'mail', port: 8000, family: 6 });
    await directed.world.ask('customer', { host: 'mail', port: 514, protocol: 'udp' });
    const after = await scrape();
    expect(after.growth(before, 'connections_total', A)).toBe(9);
    expect(after.growth(before, 'connections_total', B)).toBe(3);
    expect(after.growth(before, 'connections_total', { ...A, service: 'ldap', domu: 'ldap-a' })).toBe(0);
  });

  it('to a dark DomU itself are none: they are refused, and counted as that', async () => {
    const before = await scrape();
    const { ipv4 } = directed.world.domu('mail-b');
    await directed.world.ask('customer', { host: ipv4, port: 25 });
    const after = await scrape();
    expect(after.growth(before, 'dark_refused_packets_total', B)).toBeGreaterThan(0);
    expect(after.growth(before, 'dark_refused_packets_total', A)).toBe(0);
    expect(after.growth(before, 'connections_total', B)).toBe(0);
  });
});

describe('resets', () => {
  it('are counted for the DomU that refuses a connection it does not know', async () => {
    const held = directed.world.hold('customer', { host: 'mail', port: 25, every: 50 });
    try {
      await held.next(undefined, PATIENCE.timeout);
      const before = await scrape();
      const trial = await operator.switch('mail', { connections: 'cut' });
      await expect
        .poll(async () => (await scrape()).growth(before, 'resets_total', B), PATIENCE)
        .toBeGreaterThan(0);
      await operator.rollBack(trial);
    } finally {
      await held.stop();
    }
  });
});

describe('misdirected connections', () => {
  it('stay 0 through cutovers, there and back, under load', { timeout: 60_000 }, async () => {
    const before = await scrape();
    const load = directed.world.startLoad('customer', {
      host: 'mail',
      port: 8000,
      workers: 4,
      eachSecond: true,
    });
    await expect.poll(() => load.sofar?.connections ?? 0, PATIENCE).toBeGreaterThan(0);
    for (let n = 0; n < 3; n++) {
      const trial = await operator.switch('mail');
      await ask('customer');
      await scrape();
      await operator.rollBack(trial);
      await ask('customer');
      await scrape();
    }
    const summary = await load.stop();
    expect(Object.keys(summary.byDomu).sort()).toEqual(['mail-a', 'mail-b']);
    const after = await scrape();
    expect(after.growth(before, 'misdirected_connections_total', MAIL)).toBe(0);
    expect(after.growth(before, 'connections_total', A)).toBeGreaterThan(0);
  });

  it('are seen when somebody sends customers to the dark DomU, in a trial', async () => {
    const trial = await operator.switch('mail');
    expect(await growth('misdirected_connections_total', MAIL, () => leadAstray('a'))).toBeGreaterThan(0);
    await operator.rollBack(trial);
  });

  it('are seen beside testers, whose own are none', async () => {
    await ask('tester');
    await scrape();
    const ofTesters = await growth('misdirected_connections_total', MAIL, async () => {
      for (let n = 0; n < 5; n++) await ask('tester');
    });
    expect(ofTesters).toBe(0);
    expect(await growth('misdirected_connections_total', MAIL, () => leadAstray('b'))).toBeGreaterThan(0);
  });
});

/** The director puts it back within a second: it is done anew until a customer has fallen for it. */
async function leadAstray(slot: 'a' | 'b'): Promise<void> {
  const { world } = directed;
  await expect
    .poll(async () => {
      await world.exec('dom0', ['iptables', '-t', 'nat', '-I', 'DIR-mail', '-g', `DIR-mail.${slot}`]);
      return await ask('customer');
    }, PATIENCE)
    .toMatchObject({ domu: `mail-${slot}` });
}

describe("the host's own figures", () => {
  it('are those of the Dom0', async () => {
    const { world } = directed;
    const limit = await world.must('dom0', ['sysctl', '-n', 'net.netfilter.nf_conntrack_max']);
    const metrics = await scrape();
    expect(metrics.value('conntrack_entries_limit', {})).toBe(Number(limit));
    expect(metrics.value('conntrack_entries', {})).toBeGreaterThan(0);
    expect(metrics.value('journal_writable', {})).toBe(1);
    expect(metrics.value('ready', {})).toBe(1);
    const seconds = Date.now() / 1000 - (metrics.value('reconcile_last_success_timestamp_seconds', {}) ?? 0);
    expect(seconds).toBeLessThan(60);
  });
});

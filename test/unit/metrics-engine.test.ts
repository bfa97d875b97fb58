import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Flow } from '../../src/kernel/kernel.ts';
import { followEngine, snapshotter } from '../../src/metrics/engine.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { DEFAULT_MARK_MASK, encodeMark } from '../../src/model/mark.ts';
import { CountedTurns } from './support/counted-turns.ts';
import { ACTOR, Bench, CUSTOMER, definition, network } from './support/engine-bench.ts';

const ORDER = { services: ['mail'], to: 'secondary' } as const;
const DAY = 86_400_000;
const WITHOUT_TESTERS = definition('mail', 25, { testers: [] });

let bench: Bench;
let metrics: Metrics;

/** As the daemon does it, before the engine starts. */
function follow(): void {
  const { engine, kernel, clock } = bench;
  metrics = new Metrics({
    version: '1',
    snapshot: snapshotter({ engine, kernel, clock, meter: () => null, doctor: () => null }),
  });
  followEngine(metrics, engine, clock);
}

beforeEach(async () => {
  bench = await Bench.open();
  follow();
});
afterEach(() => bench.close());

/** Null where there is no such series. */
async function value(series: string): Promise<number | null> {
  const { parts } = await metrics.render();
  const line = Buffer.concat(parts)
    .toString()
    .split('\n')
    .find((one) => one.startsWith(`dom0_director_${series} `));
  return line === undefined ? null : Number(line.split(' ').at(-1));
}

const switchMail = async (): Promise<string> => (await bench.engine.switchOver(ORDER, ACTOR)).id;

describe('rollbacks are told by their cause', () => {
  it('somebody asked for it', async () => {
    await bench.engine.rollback(await switchMail(), ACTOR);
    expect(await value('rollbacks_total{cause="asked"}')).toBe(1);
    expect(await value('switches_total{outcome="rolled_back"}')).toBe(1);
  });

  it('nobody confirmed in time', async () => {
    await bench.engine.switchOver({ ...ORDER, confirmWithin: 5000 }, ACTOR);
    await bench.pass(6000);
    expect(await value('rollbacks_total{cause="deadline"}')).toBe(1);
    expect(await value('rollbacks_total{cause="asked"}')).toBe(0);
  });

  it('the disk did not take the switch', async () => {
    bench.fail((n, what) => (what === 'write' && n > 0 ? 'refuse' : undefined));
    await expect(switchMail()).rejects.toThrow();
    expect(await value('rollbacks_total{cause="failure"}')).toBe(1);
    expect(await value('journal_writable')).toBe(0);
    bench.fail(() => undefined);
    await bench.engine.enrol('mail', network('203.0.113.9'), { expiresIn: null, note: null }, ACTOR);
    expect(await value('journal_writable')).toBe(1);
  });
});

describe('testers', () => {
  it('are known since when they were enrolled, which a restart does not forget', async () => {
    const begun = bench.clock.now() / 1000;
    expect(await value('oldest_tester_timestamp_seconds{service="mail"}')).toBe(begun);
    await bench.engine.setTesting('ldap', 'closed', ACTOR);
    await bench.pass(DAY);
    const lease = { expiresIn: 3_600_000, note: null };
    await bench.engine.enrol('mail', network('203.0.113.9'), lease, ACTOR);
    await bench.restart();
    follow();
    expect(await value('oldest_tester_timestamp_seconds{service="mail"}')).toBe(begun);
  });

  it('of whom the first has gone are as old as who is left', async () => {
    bench.close();
    bench = await Bench.open({ services: { mail: WITHOUT_TESTERS } });
    follow();
    expect(await value('oldest_tester_timestamp_seconds{service="mail"}')).toBeNull();
    const lease = { expiresIn: 3_600_000, note: null };
    await bench.engine.enrol('mail', network('203.0.113.9'), lease, ACTOR);
    await bench.pass(60_000);
    await bench.engine.enrol('mail', network('203.0.113.10'), { expiresIn: null, note: null }, ACTOR);
    const second = bench.clock.now() / 1000;
    expect(await value('oldest_tester_timestamp_seconds{service="mail"}')).toBe(second - 60);
    await bench.pass(3_600_000);
    expect(await value('oldest_tester_timestamp_seconds{service="mail"}')).toBe(second);
  });
});

describe('a drain', () => {
  it('shows what is open on the DomU that was live, and when that is cut', async () => {
    bench.kernel.addFlow(flowTo('a', 1));
    bench.kernel.addFlow(flowTo('a', 2));
    await bench.engine.switchOver({ ...ORDER, drainFor: 60_000, confirmWithin: null }, ACTOR);
    const cutAt = bench.clock.now() / 1000 + 60;
    expect(await value('draining_flows{service="mail",domu="mail-a"}')).toBe(2);
    expect(await value('drain_deadline_timestamp_seconds{service="mail"}')).toBe(cutAt);
    expect(await value('drain_deadline_timestamp_seconds{service="ldap"}')).toBeNull();
    await bench.pass(61_000);
    expect(await value('draining_flows{service="mail",domu="mail-a"}')).toBe(0);
    expect(await value('drain_deadline_timestamp_seconds{service="mail"}')).toBeNull();
    expect(await value('service_event_timestamp_seconds{service="mail",kind="drained"}')).not.toBeNull();
  });
});

function flowTo(slot: 'a' | 'b', id: number): Flow {
  return {
    family: 4,
    protocol: 'tcp',
    from: { family: 4, text: CUSTOMER },
    to: { family: 4, text: '192.0.2.25' },
    fromPort: 40_000 + id,
    toPort: 25,
    answeredBy: { family: 4, text: slot === 'a' ? '10.25.0.2' : '10.25.0.3' },
    answeredPort: 25,
    mark: encodeMark({ id: 1, slot, protocol: 'tcp' }, DEFAULT_MARK_MASK),
    id,
    closing: false,
  };
}

describe('what happens', () => {
  it('leaves its time on the service that it happened to', async () => {
    await bench.pass(5000);
    const at = bench.clock.now() / 1000;
    await switchMail();
    expect(await value('service_event_timestamp_seconds{service="mail",kind="switch"}')).toBe(at);
    expect(await value('service_event_timestamp_seconds{service="ldap",kind="switch"}')).toBeNull();
  });

  it('counts holds by who wanted them', async () => {
    await bench.engine.hold('mail', 5000, ACTOR);
    await bench.engine.switchOver({ services: ['ldap'], to: 'secondary', hold: 5000 }, ACTOR);
    expect(await value('holds_total{cause="asked"}')).toBe(1);
    expect(await value('holds_total{cause="switch"}')).toBe(1);
  });

  it('by a director that found it at its start is a recovery', async () => {
    await bench.engine.switchOver({ ...ORDER, confirmWithin: 5000 }, ACTOR);
    bench.kill();
    bench.clock.advance(60_000);
    await bench.start(follow);
    expect(await value('rollbacks_total{cause="recovery"}')).toBe(1);
    expect(await value('rollbacks_total{cause="deadline"}')).toBe(0);
  });
});

describe('a host of many services', () => {
  const MANY = 120;
  const services = Object.fromEntries(
    Array.from({ length: MANY }, (_, n) => [`s${n}`, definition(`s${n}`, n + 1)]),
  );

  it('is looked at a few services at a time', async () => {
    bench.close();
    bench = await Bench.open({ services });
    follow();
    const turns = new CountedTurns();
    const report = turns.counted(bench.health.report.bind(bench.health));
    vi.spyOn(bench.health, 'report').mockImplementation(report);
    await turns.during(() => metrics.render());
    expect(turns.all).toBe(2 * MANY);
    expect(turns.mostAtOnce).toBeLessThan(turns.all / 10);
  });

  it("has its testers' connections looked for in one walk, and none is missed", async () => {
    bench.close();
    bench = await Bench.open({ services });
    follow();
    await metrics.render();
    for (let n = 0; n < MANY; n++)
      bench.kernel.addTraffic('dir-new', `10.${n + 1}.0.3`, { packets: 1, bytes: 60 });
    for (const [id, n] of [
      [7, 1],
      [90, 2],
    ] as const)
      bench.kernel.addFlow(toDark(id, n));
    const walks = vi.spyOn(bench.kernel, 'flows');
    await metrics.render();
    expect(walks).toHaveBeenCalledTimes(1);
    expect(await value('misdirected_connections_total{service="s6"}')).toBe(1);
    expect(await value('misdirected_connections_total{service="s89"}')).toBe(1);
    expect(await value('misdirected_connections_total{service="s1"}')).toBe(0);
  });
});

/** A customer's connection to the secondary of the service with this id. */
function toDark(id: number, n: number): Flow {
  return {
    family: 4,
    protocol: 'tcp',
    from: { family: 4, text: CUSTOMER },
    to: { family: 4, text: `192.0.2.${id}` },
    fromPort: 40_000 + n,
    toPort: 25,
    answeredBy: { family: 4, text: `10.${id}.0.3` },
    answeredPort: 25,
    mark: encodeMark({ id, slot: 'b', protocol: 'tcp' }, DEFAULT_MARK_MASK),
    id: n,
    closing: false,
  };
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SwitchView } from '../../src/api/contract.ts';
import type { Transition } from '../../src/lab/load.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Operator } from './support/operator.ts';
import { dom0RulesetGeneration } from './support/ruleset-generation.ts';

const PROCESSES = 4;
const SWITCHES = 100;

let directed: DirectedWorld;
let operator: Operator;

beforeAll(async () => {
  directed = await directedWorld();
  operator = new Operator(directed);
  // Connections that have ended stay in conntrack for two minutes by default: enough of them, and its table is full.
  await directed.world.must('dom0', ['sysctl', '-qw', 'net.netfilter.nf_conntrack_tcp_timeout_time_wait=1']);
});
afterAll(() => directed.end());

/** From `asked` on (milliseconds since the epoch), everybody was to reach `to`. */
interface Flip {
  readonly asked: number;
  readonly to: string;
}

/** Switches to and fro, every tenth time for good; answers each flip, in order. */
async function switchToAndFro(flips: Flip[], records: SwitchView[]): Promise<void> {
  let { primary, secondary } = await operator.roles('mail');
  for (let n = 1; n <= SWITCHES; n++) {
    const trial = await flip(flips, secondary, () => operator.switch('mail'));
    records.push(trial);
    if (n % 10 === 0) {
      await operator.confirm(trial);
      [primary, secondary] = [secondary, primary];
    } else records.push(await flip(flips, primary, () => operator.rollBack(trial)));
  }
}

/** Does it, and sees that the next connection after the answer is there. */
async function flip(flips: Flip[], to: string, act: () => Promise<SwitchView>): Promise<SwitchView> {
  flips.push({ asked: Date.now(), to });
  const record = await act();
  expect(await directed.world.ask('customer', { host: 'mail', port: 8001 })).toMatchObject({ domu: to });
  return record;
}

/**
 * The steps of a worker that went back: between two flips its first answer from the new DomU must be its last step.
 * (Before it there may be one to the old DomU: the answer to a connection that was opened before the flip.)
 */
function stepsBack(steps: readonly Transition[], flips: readonly Flip[]): Transition[] {
  return steps.filter(({ at, domu }, i) => {
    const since = flips.findLast(({ asked }) => asked <= at);
    const before = steps[i - 1];
    if (since === undefined || before === undefined || domu === since.to) return false;
    return before.at >= since.asked && before.domu === since.to;
  });
}

describe('under load', () => {
  it(
    `${SWITCHES} switches to and fro fail no connection, and nobody who has met the new DomU goes back to the old one`,
    { timeout: 150_000 },
    async () => {
      const flips: Flip[] = [];
      const records: SwitchView[] = [];
      const load = directed.world.startLoad('customer', {
        host: 'mail',
        port: 8000,
        processes: PROCESSES,
        workers: 1,
        eachSecond: true,
      });
      await expect.poll(() => load.sofar?.connections ?? 0, { timeout: 20_000 }).toBeGreaterThan(0);
      await switchToAndFro(flips, records);
      const summary = await load.stop();

      expect(summary.failures).toEqual({});
      expect(summary.workers).toHaveLength(PROCESSES);
      expect(summary.workers.map((steps) => stepsBack(steps, flips))).toEqual(summary.workers.map(() => []));
      // They really worked through it: each of them saw many of the flips.
      expect(Object.keys(summary.byDomu).sort()).toEqual(['mail-a', 'mail-b']);
      for (const steps of summary.workers) expect(steps.length).toBeGreaterThan(SWITCHES / 5);
      expect(flips).toHaveLength(1.9 * SWITCHES);

      const trials = records.filter(({ state }) => state === 'trial');
      expect(trials).toHaveLength(SWITCHES);
      for (const { kernel } of trials) {
        expect(kernel.flipMicros).toBeGreaterThan(0);
        expect(kernel.familySkewMicros).toBe(0);
      }
    },
  );
});

describe('a switch and its rollback', () => {
  it('change no rule: the generation of nf_tables stays, which a confirm raises', async () => {
    const { world } = directed;
    const before = await dom0RulesetGeneration(world);
    for (const services of [['mail'], ['mail', 'ldap']]) {
      const trial = await operator.switch(services);
      expect(await dom0RulesetGeneration(world)).toBe(before);
      await operator.rollBack(trial);
      expect(await dom0RulesetGeneration(world)).toBe(before);
    }
    await operator.confirm(await operator.switch('mail'));
    expect(await dom0RulesetGeneration(world)).toBeGreaterThan(before);
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../src/lab/run.ts';
import type { World } from '../../src/lab/world.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Operator } from './support/operator.ts';
import { listen } from './support/outwards.ts';

/** The end of each takes two of RCU's grace periods, all under the lock. */
const BRIDGES = 200;

let directed: DirectedWorld;
let operator: Operator;
let world: World;

beforeAll(async () => {
  directed = await directedWorld({ services: 2 });
  operator = new Operator(directed);
  ({ world } = directed);
  await listen(world, ['customer']);
}, 60_000);
afterAll(() => directed.end());

/**
 * Somebody else's container ends: the kernel takes its bridges away with the rtnl lock held (default_device_exit_batch).
 * Answers when the lock is held; `held` tells whether it still is.
 */
async function hold(): Promise<{ held(): boolean; free: Promise<number> }> {
  const other = `${world.ns('dom0')}-other`;
  const links = Array.from({ length: BRIDGES }, (_, at) => `link add other${at} type bridge\n`).join('');
  await must(['ip', 'netns', 'add', other]);
  await must(['ip', '-n', other, '-batch', '-'], { stdin: links });
  await must(['ip', 'netns', 'del', other]);
  for (let tries = 0; tries < 100; tries++) {
    const lock = { held: true };
    const from = performance.now();
    const free = world.must('customer', ['ip', 'link', 'show'], { timeout: 120_000 }).then(() => {
      lock.held = false;
      return performance.now() - from;
    });
    await sleep(100);
    if (lock.held) return { held: () => lock.held, free };
  }
  throw new Error('the end of a namespace with bridges did not hold the lock for as long as an answer takes');
}

describe('while somebody holds the rtnl lock', () => {
  it('the director answers, and a look at the kernel that waits for it keeps nobody else waiting', async () => {
    const lock = await hold();
    // Noticed at once, and looked at; that asks for links.
    await world.must('dom0', ['iptables', '-t', 'nat', '-F']);
    let longest = 0;
    while (lock.held()) {
      const from = performance.now();
      expect((await directed.daemon.call('GET', '/v1/services')).status).toBe(200);
      longest = Math.max(longest, performance.now() - from);
      await sleep(20);
    }
    expect(longest).toBeLessThan((await lock.free) / 3);
    // The repair waits for the lock as well.
    await expect
      .poll(() => operator.reached('customer', 'mail'), { timeout: 20_000 })
      .toEqual(['mail-a', 'mail-a']);
  }, 120_000);

  it('a switch and its rollback are done at once: no link is in their way', async () => {
    const lock = await hold();
    const trial = await operator.switch('mail');
    await operator.rollBack(trial);
    expect(lock.held()).toBe(true);
    await operator.expectReached('customer', 'mail', 'mail-a');
    await lock.free;
  }, 120_000);
});

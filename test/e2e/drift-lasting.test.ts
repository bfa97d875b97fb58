import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { World } from '../../src/lab/world.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Drifting, wholeKernel } from './support/drift.ts';

const IDLE_MS = 20_000;
const FIGHT_MS = 20_000;
/** The unit of times in /proc/PID/stat (proc(5)): USER_HZ, 100 wherever Linux runs Node. */
const TICK_MS = 10;

let directed: DirectedWorld;
let world: World;
let drifting: Drifting;
beforeAll(async () => {
  // As often as where nothing is said; the lab's own haste would be most of what an idle director does.
  directed = await directedWorld({ config: { service: { health: {} } } });
  ({ world } = directed);
  drifting = new Drifting(directed);
}, 60_000);
afterAll(() => directed.end());

/** What the daemon and the children that it has waited for have used of a processor, in milliseconds. */
async function usedBy(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // After the name, which may hold anything: utime, stime, cutime, cstime are fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * TICK_MS, 0);
}

it('an idle director costs next to nothing', async () => {
  const { pid } = directed.daemon.process;
  const [before, began] = [await usedBy(pid), performance.now()];
  await sleep(IDLE_MS);
  const share = (await usedBy(pid)) - before;
  const percent = (100 * share) / (performance.now() - began);
  console.log(`idle: ${percent.toFixed(2)} % of a core with ${world.services.length} services`);
  expect(percent).toBeLessThan(5);
}, 60_000);

/** Deletes our jump as soon as it is back; answers how often. */
async function fight(): Promise<number> {
  const until = performance.now() + FIGHT_MS;
  let deletions = 0;
  while (performance.now() < until) {
    const jump = ['-t', 'nat', '-D', 'PREROUTING', '-j', 'DIR-PRE'];
    if ((await world.exec('dom0', ['iptables', '-w', ...jump])).code === 0) deletions++;
  }
  return deletions;
}

it('whoever deletes our jump again and again is told of, and not fought at full speed', async () => {
  const before = await wholeKernel(world);
  const last = await drifting.lastEntry();
  const deletions = await fight();
  const repairs = await drifting.repairsSince(last);
  console.log(`a fight of ${FIGHT_MS / 1000} s: ${deletions} deletions, ${repairs.length} repairs told`);
  expect(repairs.map(({ text }) => text).join('\n')).toMatch(/again and again/);
  expect(repairs.every(({ text }) => text.includes('nat PREROUTING to DIR-PRE'))).toBe(true);
  // At full speed it would be one for each glance: some fifty.
  expect(repairs.length).toBeLessThan(20);

  const ended = Date.now();
  await expect.poll(() => wholeKernel(world), { timeout: 60_000, interval: 200 }).toEqual(before);
  console.log(`all was well ${Date.now() - ended} ms after it`);
  await drifting.operator.expectReached('customer', 'mail', 'mail-a');
}, 120_000);

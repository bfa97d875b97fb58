import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/lab/run.ts';
import type { World } from '../../src/lab/world.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { Drifting, wholeKernel } from './support/drift.ts';

const IDLE_MS = 20_000;
/** Less than two whole looks are apart, so that at most one or two fall into it. */
const COUNTED_MS = 12_000;
const MOST_REQUESTS = 20;
const FIGHT_MS = 20_000;
/** The unit of times in /proc/PID/stat (proc(5)): USER_HZ, 100 wherever Linux runs Node. */
const TICK_MS = 10;

let directed: DirectedWorld;
let world: World;
let drifting: Drifting;
beforeAll(async () => {
  // Probed as often as where nothing is said; the lab's own haste would be most of what an idle director does. Without
  // the meter, which asks for counters and has helpers of its own.
  directed = await directedWorld({ config: { service: { health: {} }, top: { cpu: { meter: 'off' } } } });
  ({ world } = directed);
  drifting = new Drifting(directed);
}, 60_000);
afterAll(() => directed.end());

/** A process and those that it has started and that have not ended. */
async function withChildren(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return [pid, ...children.split(' ').filter(Boolean).map(Number)];
}

/** What a process and the children that it has waited for have used of a processor, in milliseconds. */
async function usedBy(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // After the name, which may hold anything: utime, stime, cutime, cstime are fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * TICK_MS, 0);
}

async function usedByAll(pids: readonly number[]): Promise<number> {
  return (await Promise.all(pids.map(usedBy))).reduce((a, b) => a + b, 0);
}

/** Names and counts of the system calls that matter, of these processes and what they start, for a while. */
async function callsOf(pids: readonly number[], ms: number): Promise<ReadonlyMap<string, number>> {
  const counted = ['execve', 'sendmsg', 'sendto'];
  const attach = pids.flatMap((pid) => ['-p', String(pid)]);
  const argv = ['strace', '-f', '-c', '-U', 'name,calls', '-e', `trace=${counted.join()}`, ...attach];
  const { stderr } = await run(['timeout', '-s', 'INT', String(ms / 1000), ...argv], { timeout: 3 * ms });
  const rows = [...stderr.matchAll(/^(\w+) +(\d+)$/gm)].map(([, name = '', calls]) => [name, Number(calls)]);
  return new Map(counted.map((name) => [name, new Map(rows as [string, number][]).get(name) ?? 0]));
}

describe('an idle director', () => {
  it('costs next to nothing', { timeout: 60_000 }, async () => {
    const pids = await withChildren(directed.daemon.process.pid);
    // One that looks for it, so that it need not look itself.
    expect(pids).toHaveLength(2);
    const [before, began] = [await usedByAll(pids), performance.now()];
    await sleep(IDLE_MS);
    const share = (await usedByAll(pids)) - before;
    const percent = (100 * share) / (performance.now() - began);
    console.log(`idle: ${percent.toFixed(2)} % of a core with ${world.services.length} services`);
    expect(await withChildren(directed.daemon.process.pid)).toEqual(pids);
  });

  it('starts no process, and itself asks the kernel nothing but at its whole looks', async () => {
    const [daemon = 0, sentry = 0] = await withChildren(directed.daemon.process.pid);
    const own = await callsOf([daemon], COUNTED_MS);
    console.log(`in ${COUNTED_MS / 1000} s: ${JSON.stringify([...own])}`);
    expect(own.get('execve')).toBe(0);
    // Two whole looks at most fall into it, of fewer than ten requests each; one at each glance would be forty.
    expect((own.get('sendmsg') ?? 0) + (own.get('sendto') ?? 0)).toBeLessThan(MOST_REQUESTS);
    expect((await callsOf([sentry], 2000)).get('sendto')).toBeGreaterThan(0);
  });

  it('leaves no process behind when it is killed', async () => {
    const pids = await withChildren(directed.daemon.process.pid);
    await directed.daemon.kill();
    for (const pid of pids)
      await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false);
    await directed.daemon.start();
    await directed.daemon.healthy();
  });
});

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
  // By the journal; or, where deletions met every look of a repair, by the log that it could not be done.
  const told = [...repairs.map(({ text }) => text), await readFile(directed.daemon.logFile, 'utf8')];
  expect(told.join('\n')).toMatch(/again and again|the kernel does not keep what it was given/);
  expect(repairs.every(({ text }) => text.includes('nat PREROUTING to DIR-PRE'))).toBe(true);
  // At full speed it would be one for each glance: some fifty.
  expect(repairs.length).toBeLessThan(20);

  const ended = Date.now();
  await expect.poll(() => wholeKernel(world), { timeout: 60_000, interval: 200 }).toEqual(before);
  console.log(`all was well ${Date.now() - ended} ms after it`);
  await drifting.operator.expectReached('customer', 'mail', 'mail-a');
}, 120_000);

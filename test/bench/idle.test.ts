import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, it } from 'vitest';
import { directedWorld } from '../e2e/support/director.ts';
import { ManyServices } from '../e2e/support/many.ts';

/** `npm run bench:idle`: what an idle director and whoever looks for it use of a processor. */
const SETTLE_MS = 15_000;
const IDLE_MS = 60_000;

let end: () => Promise<void> = () => Promise.resolve();
afterEach(() => end(), 120_000);

/** Nanoseconds on a processor of all threads (proc(5), schedstat: exact, where stat counts in ticks). */
async function usedBy(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const times = threads.map(async (thread) => {
    const stat = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0');
    return Number(stat.split(' ')[0]);
  });
  return (await Promise.all(times)).reduce((a, b) => a + b, 0);
}

async function measure(what: string, pid: number): Promise<void> {
  await sleep(SETTLE_MS);
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const pids = [pid, ...children.split(' ').filter(Boolean).map(Number)];
  const before = await Promise.all(pids.map(usedBy));
  await sleep(IDLE_MS);
  const after = await Promise.all(pids.map(usedBy));
  const shares = after.map((used, n) => (100 * (used - (before[n] ?? 0))) / 1e6 / IDLE_MS);
  const sum = shares.reduce((a, b) => a + b, 0);
  const each = shares.map((share) => share.toFixed(2)).join(' + ');
  console.log(`${what}: ${sum.toFixed(2)} % of a core (the director and who looks: ${each})`);
}

it.each(['off', 'auto'])('ten services with guests, meter %s', { timeout: 300_000 }, async (meter) => {
  const top = { cpu: { meter } };
  const directed = await directedWorld({ services: 10, config: { service: { health: {} }, top } });
  end = () => directed.end();
  const what = `ten services, probed as often as where nothing is said, meter ${meter}`;
  await measure(what, directed.daemon.process.pid);
});

it.each([10, 1000])('%i services that are not probed', { timeout: 600_000 }, async (count) => {
  const many = await ManyServices.create(count);
  end = () => many.destroy();
  await many.start();
  await measure(`${count} services, not probed`, many.pid);
});

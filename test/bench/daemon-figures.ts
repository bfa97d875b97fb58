import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { http } from '../e2e/support/http.ts';
import { Metrics } from '../e2e/support/metrics.ts';
import { median } from './figures.ts';
import { serviceName } from './numbering.ts';
import { definition, processOf, restartDirector, socketOf } from './peers/director.ts';
import type { Place } from './place.ts';

/** The daemon itself with so many services; milliseconds, bytes. */
export interface DaemonFigures {
  readonly services: number;
  /** Until it is ready: over a kernel that has nothing, and over one that has all of it. */
  readonly firstStart: number;
  readonly restart: number;
  /** One service in the middle of the list is defined anew over the API: until the kernel has it. */
  readonly change: number;
  readonly resident: number;
  readonly scrape: number;
  readonly scrapeBytes: number;
  readonly held: Held;
}

/** What the kernel holds for it, in IPv4. */
export interface Held {
  readonly chains: number;
  readonly rules: number;
  readonly sets: number;
  readonly elements: number;
}

const RESTARTS = 3;
const SCRAPES = 5;
const CHANGES = 3;
const LOOKED_EVERY_MS = 200;
const ADMINS = { admins: ['10.9.0.0/24'] };

/** Restarts the director of the place, and leaves another. */
export async function daemonFigures(
  place: Place,
  services: number,
  firstStart: number,
  within: number,
): Promise<DaemonFigures> {
  const scrapes: { ms: number; bytes: number }[] = [];
  for (let n = 0; n < SCRAPES; n++) scrapes.push(await scrape(socketOf(place)));
  const changes: number[] = [];
  for (let n = 0; n < CHANGES; n++)
    changes.push(await change(place, services >> 1, ADMINS), await change(place, services >> 1));
  const restarts: number[] = [];
  for (let n = 0; n < RESTARTS; n++) {
    await looked(socketOf(place), services);
    restarts.push(await restartDirector(place, within));
  }
  return {
    services,
    firstStart,
    restart: median(restarts),
    change: median(changes),
    resident: await resident(processOf(place).pid),
    scrape: median(scrapes.map(({ ms }) => ms)),
    scrapeBytes: median(scrapes.map(({ bytes }) => bytes)),
    held: await heldIn(place),
  };
}

async function change(place: Place, n: number, more: object = {}): Promise<number> {
  const since = performance.now();
  const body = { ...definition(n), ...more };
  const { status, text } = await http(socketOf(place), 'PUT', `/v1/services/${serviceName(n)}`, { body });
  if (status !== 200) throw new Error(`a service could not be changed: ${status} ${text}`);
  return performance.now() - since;
}

/** Until everything has been looked at once more, which follows a start and each change; not for long if it has been. */
export async function looked(socket: string, services: number): Promise<void> {
  const last = async (): Promise<number | null> =>
    (await Metrics.of(socket)).value('reconcile_last_success_timestamp_seconds', {});
  const [begun, before] = [performance.now(), await last()];
  while ((await last()) === before && performance.now() - begun < 4000 + services)
    await sleep(LOOKED_EVERY_MS);
}

async function scrape(socket: string): Promise<{ ms: number; bytes: number }> {
  const since = performance.now();
  const { text } = await http(socket, 'GET', '/metrics');
  return { ms: performance.now() - since, bytes: text.length };
}

/** Bytes of the process, by proc(5), status. */
async function resident(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? NaN) * 1024;
}

async function heldIn(place: Place): Promise<Held> {
  const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;
  const rules = await place.must('dom0', ['iptables-save']);
  const sets = await place.must('dom0', ['ipset', 'save']);
  return {
    chains: count(rules, /^:DIR-/gm),
    rules: count(rules, /^-A (DIR-|.*-j DIR-)/gm),
    sets: count(sets, /^create /gm),
    elements: count(sets, /^add /gm),
  };
}

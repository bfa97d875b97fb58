import { get } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JournalEntry, SwitchView } from '../../src/api/contract.ts';
import { definitionOf } from '../../src/lab/config-file.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { http } from './support/http.ts';

const CLIENTS = 50;
const CALLS_EACH = 4;
const READERS = 30;

let directed: DirectedWorld;
beforeAll(async () => {
  directed = await directedWorld({ services: 2 });
}, 120_000);
afterAll(() => directed.end(), 60_000);

const call = (method: string, path: string, body?: unknown) => directed.daemon.call(method, path, body);
const switches = async () => (await call('GET', '/v1/switches?limit=20')).body as SwitchView[];

/** Oldest first, what came after `id`. */
async function journalAfter(id: number): Promise<JournalEntry[]> {
  const { body } = await call('GET', '/v1/journal?limit=1000');
  return (body as JournalEntry[]).filter((entry) => entry.id > id).toReversed();
}

async function lastEntry(): Promise<number> {
  const { body } = await call('GET', '/v1/journal?limit=1');
  return (body as JournalEntry[])[0]?.id ?? 0;
}

/** Reads the ids of what happens; from time to time it hangs up, and comes back with the last that it has seen. */
class Reader {
  readonly ids: number[] = [];
  readonly #last: number;
  readonly #patience: number;
  #stopped = false;
  #hangUp: () => void = () => undefined;

  constructor(last: number, patience: number) {
    this.#last = last;
    this.#patience = patience;
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#hangUp();
  }

  #connect(): void {
    if (this.#stopped) return;
    const headers = { 'last-event-id': String(this.ids.at(-1) ?? this.#last) };
    const socketPath = directed.daemon.socket;
    const request = get({ socketPath, path: '/v1/events', headers, agent: false }, (response) => {
      let text = '';
      let seen = 0;
      response.setEncoding('utf8').on('data', (part: string) => {
        const frames = (text + part).split('\n\n');
        text = frames.pop() ?? '';
        const ids = frames.flatMap((frame) => /^id: (\d+)$/m.exec(frame)?.[1] ?? []).map(Number);
        this.ids.push(...ids);
        seen += ids.length;
        if (seen >= this.#patience) request.destroy();
      });
      response.on('error', () => undefined);
    });
    this.#hangUp = () => request.destroy();
    request.on('error', () => undefined);
    request.on('close', () => this.#connect());
  }
}

const pick = <T>(of: readonly T[], n: number): T => of[n % of.length] as T;

/** What a client asks for in its nth call: everything that changes something, and what is often wrong. */
async function verb(n: number): Promise<{ status: number }> {
  const name = pick(['mail', 'ldap'], n >> 1);
  const newest = (await switches())[n % 2]?.id ?? 'none';
  const services = pick([['mail'], ['ldap'], ['mail', 'ldap']], n >> 2);
  const tester = `/v1/services/${name}/testers/203.0.114.${n % 3}`;
  const verbs = [
    () =>
      call('POST', '/v1/switches', {
        services,
        to: 'secondary',
        force: true,
        connections: pick(['cut', 'drain'], n),
      }),
    () => call('POST', `/v1/switches/${newest}/rollback`),
    () => call('POST', '/v1/switches', { services, to: 'secondary', confirmWithin: 'never' }),
    () => call('POST', `/v1/switches/${newest}/confirm`),
    () => call('POST', `/v1/services/${name}/hold`, { for: '1m' }),
    () => call('DELETE', `/v1/services/${name}/hold`),
    () => call('PUT', `/v1/services/${name}/testing`, { state: 'open' }),
    () => call('PUT', tester, { expiresIn: '1h' }),
    () => call('DELETE', tester),
    () => call('POST', '/v1/reload'),
    () => call('PUT', `/v1/services/${name}`, definitionOf(directed.world.service(name))),
  ];
  return pick(verbs, n * 7)();
}

/** Why this is not what can have happened, one thing after another; empty where it is. */
function illegalities(entries: readonly JournalEntry[]): string[] {
  const onTrial = new Map<string, unknown>();
  return entries.flatMap(({ id, kind, services, details, text }) => {
    const busy = services.filter((name) => onTrial.has(name));
    if (kind === 'switch') {
      for (const name of services) onTrial.set(name, details['switch']);
      return busy.map((name) => `${id}: ${name} was switched while it was on trial`);
    }
    if (kind === 'confirm' || kind === 'rollback' || kind === 'expire') {
      const wrong = services.filter((name) => onTrial.get(name) !== details['switch']);
      for (const name of services) onTrial.delete(name);
      return wrong.map((name) => `${id}: ${kind} of ${name}, which was not on that trial`);
    }
    if (kind === 'define') return busy.map((name) => `${id}: ${name} was defined anew during a trial`);
    return kind === 'repair' || kind === 'error' || kind === 'fail' ? [`${id}: ${kind}: ${text}`] : [];
  });
}

/** Ends whatever trial the last test has left. */
async function settle(): Promise<void> {
  for (const { id, state } of await switches()) {
    if (state === 'trial') expect((await call('POST', `/v1/switches/${id}/rollback`)).status).toBe(200);
  }
}

it('of fifty clients at once each is answered, and the journal is one history that can have happened', async () => {
  const before = await lastEntry();
  const readers = Array.from({ length: READERS }, (_, i) => new Reader(before, i % 2 === 0 ? 5 : Infinity));
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const statuses: number[] = [];
    for (let i = 0; i < CALLS_EACH; i++) statuses.push((await verb(client * CALLS_EACH + i)).status);
    return statuses;
  });
  const statuses = (await Promise.all(clients)).flat();
  expect([...new Set(statuses)].filter((status) => status >= 500)).toEqual([]);
  expect(statuses).toContain(201);
  expect(statuses).toContain(409);
  await settle();

  const entries = await journalAfter(before);
  expect(illegalities(entries)).toEqual([]);
  const ids = entries.map(({ id }) => id);
  expect(ids).toEqual(ids.map((_, i) => (ids[0] ?? 0) + i));
  for (const reader of readers) {
    await expect
      .poll(() => reader.ids.filter((id) => id <= (ids.at(-1) ?? 0)), { timeout: 10_000 })
      .toEqual(ids);
    reader.stop();
  }
  expect((await call('GET', '/v1/plan')).body).toMatchObject({ changes: [] });
  expect((await call('GET', '/readyz')).status).toBe(200);
}, 120_000);

it('of two operators that define the same service one wins, the other is told: 412', async () => {
  const { generation } = await directed.daemon.service('mail');
  const race = ['/25', '/26'].map((tester, i) =>
    putIf('mail', generation, { testers: [`203.0.113.${128 * i}${tester}`] }),
  );
  expect((await Promise.all(race)).toSorted((a, b) => a - b)).toEqual([200, 412]);
  expect((await directed.daemon.service('mail')).generation).toBe(generation + 1);
});

it('what others ask for while a trial comes to its end is done', async () => {
  await settle();
  const before = await lastEntry();
  const order = { services: ['ldap'], to: 'secondary', confirmWithin: '1s', force: true };
  const { body } = await call('POST', '/v1/switches', order);
  const { id } = body as SwitchView;
  const ended = async () => ((await call('GET', `/v1/switches/${id}`)).body as SwitchView).state !== 'trial';
  const answers = await busyUntil('mail', ended);
  expect(answers.filter((status) => status >= 500)).toEqual([]);
  expect(illegalities(await journalAfter(before))).toEqual([]);
  expect((await call('GET', `/v1/switches/${id}`)).body).toMatchObject({ state: 'expired' });
}, 60_000);

/** Keeps the director's queue full, so that whatever comes to its end meanwhile has to wait for its turn. */
async function busyUntil(name: string, isOver: () => Promise<boolean>): Promise<number[]> {
  const operators = Array.from({ length: 12 }, async (_, i) => {
    const statuses: number[] = [];
    do {
      // Other rules each time, which takes the longest.
      const ports = [`${2000 + statuses.length * 20 + i}/tcp`];
      const definition = { ...definitionOf(directed.world.service(name)), ports };
      statuses.push((await call('PUT', `/v1/services/${name}`, definition)).status);
    } while (!(await isOver()));
    return statuses;
  });
  return (await Promise.all(operators)).flat();
}

async function putIf(name: string, generation: number, more: Record<string, unknown>): Promise<number> {
  const { status } = await http(directed.daemon.socket, 'PUT', `/v1/services/${name}`, {
    headers: { 'if-match': `"${generation}"` },
    body: { ...definitionOf(directed.world.service(name)), ...more },
  });
  return status;
}

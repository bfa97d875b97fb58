import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startServer } from '../../src/api/server.ts';
import type { RunningServer } from '../../src/api/server.ts';
import { memoryLog, hostLoad } from './support/api-double.ts';
import { DirectorDouble } from './support/director-double.ts';

interface Event {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: { id?: number; text?: string; service?: string };
}

let dir: string;
let director: DirectorDouble;
let server: RunningServer;
const readers: http.ClientRequest[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'd0d-events-'));
  director = new DirectorDouble('mail');
  server = await startServer({
    director,
    listen: { socket: join(dir, 'sock'), http: null, tls: null },
    tokens: () => [],
    load: hostLoad,
    metrics: () => Promise.resolve({ contentType: 'text/plain', parts: [] }),
    meter: () => null,
    log: memoryLog(),
    version: '1.2.3',
  });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const reader of readers.splice(0)) reader.destroy();
  await server.close();
  rmSync(dir, { recursive: true });
});

/** Reads events; what came so far is in `events`, the bytes as they came in `text`. */
function read(path = '/v1/events', headers: http.OutgoingHttpHeaders = {}) {
  const events: Event[] = [];
  const reader = { events, text: '', ended: false, status: 0 };
  const request = http.get({ socketPath: join(dir, 'sock'), path, headers, agent: false }, (response) => {
    reader.status = response.statusCode ?? 0;
    response.setEncoding('utf8').on('data', (chunk: string) => {
      reader.text += chunk;
      events.splice(0, events.length, ...parse(reader.text));
    });
    response.on('close', () => (reader.ended = true)).on('error', () => undefined);
  });
  request.on('error', () => undefined);
  readers.push(request);
  return reader;
}

function parse(text: string): Event[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .flatMap((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const [event, data] = [field('event'), field('data')];
      if (event === undefined || data === undefined) return [];
      return [{ event, id: field('id'), data: JSON.parse(data) as Event['data'] }];
    });
}

const ids = (events: readonly Event[]) => events.map(({ id }) => Number(id));

test('each journal entry is told as it happens, to everybody who reads', async () => {
  const all = Array.from({ length: 20 }, () => read());
  await vi.waitFor(() => expect(all.every(({ text }) => text.includes('retry'))).toBe(true));
  director.record('switch', 'mail: mail-b is live');
  director.events.emit('service', 'mail');
  for (const { events } of all) {
    await vi.waitFor(() => expect(events).toHaveLength(2));
    expect(events[0]).toMatchObject({
      event: 'switch',
      id: '1',
      data: { id: 1, text: 'mail: mail-b is live' },
    });
    expect(events[1]).toEqual({ event: 'service', id: undefined, data: { service: 'mail' } });
  }
});

test('a text with line ends stays one event', async () => {
  const { events } = read('/v1/events?after=0');
  director.record('error', 'one\n\ndata: two\r\nevent: three');
  await vi.waitFor(() => expect(events).toHaveLength(1));
  expect(events[0]?.data.text).toBe('one\n\ndata: two\r\nevent: three');
});

test('who comes back gets everything since the id that it saw last, each once and in order', async () => {
  for (let i = 0; i < 1700; i++) director.record('hold', `before ${i}`);
  const { events } = read('/v1/events', { 'last-event-id': '100' });
  const writer = setInterval(() => director.record('hold', 'meanwhile'), 1);
  await vi.waitFor(() => expect(events.length).toBeGreaterThan(1650), { timeout: 10_000 });
  clearInterval(writer);
  await vi.waitFor(() => expect(events.at(-1)?.data.id).toBe(director.journalLog.at(-1)?.id));
  expect(ids(events)).toEqual(Array.from({ length: events.length }, (_, i) => 101 + i));
});

test('without an id nothing old is told', async () => {
  director.record('hold', 'old');
  const reader = read();
  await vi.waitFor(() => expect(reader.text).toContain('retry'));
  director.record('hold', 'new');
  await vi.waitFor(() => expect(ids(reader.events)).toEqual([2]));
});

test('an id that is none is 400', async () => {
  for (const [path, id] of [
    ['/v1/events', 'x'],
    ['/v1/events?after=x', ''],
  ] as const) {
    const reader = read(path, { 'last-event-id': id });
    await vi.waitFor(() => expect(reader.status).toBe(400));
  }
});

test('a reader that does not read is dropped, and the others are not', async () => {
  const good = read();
  const slow = net.connect(join(dir, 'sock'));
  let closed = false;
  slow.on('error', () => undefined).on('close', () => (closed = true));
  slow.write('GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise<void>((resolve) => {
    slow.once('data', () => {
      slow.pause();
      resolve();
    });
  });
  await vi.waitFor(() => expect(good.text).toContain('retry'));
  const text = 'x'.repeat(50_000);
  for (let i = 1; i <= 60; i++) {
    director.record('hold', text);
    await vi.waitFor(() => expect(good.events.length).toBe(i));
  }
  slow.resume();
  await vi.waitFor(() => expect(closed).toBe(true));
  expect(good.ended).toBe(false);
});

test('close ends every stream', async () => {
  const all = [read(), read('/v1/events?after=0')];
  await vi.waitFor(() => expect(all.every(({ text }) => text.includes('retry'))).toBe(true));
  await server.close();
  await vi.waitFor(() => expect(all.map(({ ended }) => ended)).toEqual([true, true]));
});

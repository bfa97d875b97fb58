import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEvents } from '../../src/lib/sse.ts';
import type { ServiceView } from '../../src/api/contract.ts';
import { FakeDaemon, Screen, cli, entries, picture, problem, service } from './support/cli.ts';

let daemon: FakeDaemon;
let streams: ServerResponse[];
beforeEach(async () => {
  process.env.TZ = 'UTC';
  streams = [];
  daemon = await new FakeDaemon().start();
  daemon.on('GET /v1/events', (_seen, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\n');
    streams.push(response);
  });
});
afterEach(() => daemon.destroy());

function send(id: number, kind: string, more: object = {}): void {
  const entry = { ...entries[0], id, kind, text: `entry ${id}`, why: null, ...more };
  streams.at(-1)?.write(`event: ${kind}\nid: ${id}\ndata: ${JSON.stringify(entry)}\n\n`);
}

async function connected(times: number): Promise<void> {
  while (streams.length < times) await sleep(5);
}

function start(line: string, columns?: number) {
  const stdout = new Screen(columns);
  const stderr = new Screen();
  const abort = new AbortController();
  const done = cli(line.split(' '), { socket: daemon.socket, io: { stdout, stderr, signal: abort.signal } });
  return { stdout, stderr, stop: () => (abort.abort(), done) };
}

describe('server-sent events', () => {
  const read = async (...chunks: string[]) => {
    async function* source() {
      for (const chunk of chunks) yield await Promise.resolve(chunk);
    }
    const events = [];
    for await (const event of readEvents(source())) events.push(event);
    return events;
  };

  it('are read whatever the chunks and line ends are', async () => {
    const text =
      ': comment\r\nevent: switch\r\nid: 7\r\ndata: {"a":\r\ndata:  1}\r\n\r\ndata\n\nevent: none\n\ndata: x\n\n';
    const wanted = [
      { event: 'switch', data: '{"a":\n 1}', id: '7' },
      { event: 'message', data: '', id: '7' },
      { event: 'message', data: 'x', id: '7' },
    ];
    expect(await read(text)).toEqual(wanted);
    expect(await read(...text.split(''))).toEqual(wanted);
  });

  it('that are not complete when the connection ends are none', async () => {
    expect(await read('data: x\n')).toEqual([]);
  });
});

describe('journal --follow', () => {
  beforeEach(() => {
    daemon.answer('GET /v1/journal?limit=20', 200, entries);
    daemon.answer('GET /v1/journal?limit=20&service=mail', 200, entries);
  });

  it('prints what was, then what comes, and ends with 0 when interrupted', async () => {
    const { stdout, stop } = start('journal --follow');
    await stdout.shows('mail is on mail-b');
    await connected(1);
    send(43, 'confirm');
    await stdout.shows('entry 43');
    expect((await stop()).code).toBe(0);
    expect(daemon.seen.at(-1)?.headers['last-event-id']).toBe('42');
  });

  it('goes on after the last entry when the daemon comes back', async () => {
    const { stdout, stderr, stop } = start('journal --follow');
    await connected(1);
    send(43, 'confirm');
    await stdout.shows('entry 43');
    await daemon.restart();
    await stderr.shows('The daemon is back.');
    send(44, 'switch');
    await stdout.shows('entry 44');
    await stop();
    expect(daemon.seen.at(-1)?.headers['last-event-id']).toBe('43');
    expect(stderr.text.match(/Trying again/g)).toHaveLength(1);
  });

  it('leaves out other services, and what it does not understand', async () => {
    const { stdout, stop } = start('journal --follow --service mail');
    await connected(1);
    send(43, 'switch', { services: ['ldap'] });
    streams[0]?.write('event: switch\ndata: {nonsense\n\n');
    send(44, 'switch');
    await stdout.shows('entry 44');
    await stop();
    expect(stdout.text).not.toContain('entry 43');
  });

  it('prints an entry a line with --json', async () => {
    const { stdout, stop } = start('journal --follow --json');
    await connected(1);
    send(43, 'confirm');
    await stdout.shows('entry 43');
    await stop();
    const ids = stdout.text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: number }).id);
    expect(ids).toEqual([41, 42, 43]);
  });

  it('ends with the refusal where the daemon refuses', async () => {
    daemon.answer('GET /v1/events', 409, problem);
    const { code, err } = await cli(['journal', '--follow'], { socket: daemon.socket });
    expect(code).toBe(1);
    expect(err).toContain(problem.detail);
  });
});

describe('watch', () => {
  let views: ServiceView[];
  beforeEach(() => {
    views = [...picture];
    daemon.answer('GET /v1/journal?limit=8', 200, entries);
    daemon.on('GET /v1/services', (_seen, response) => response.end(JSON.stringify(views)));
  });

  it('prints a line for each service, then one for each that changed', async () => {
    const { stdout, stop } = start('watch');
    await connected(1);
    expect(stdout.text.trimEnd().split('\n')).toHaveLength(4);
    views[0] = service('mail', { testing: 'closed' });
    views[1] = { ...(views[1] ?? service('ldap')), primary: { ...service('ldap').primary, flows: 999 } };
    send(43, 'rollback');
    await stdout.shows('mail  state=settled live=mail-a');
    views = views.slice(0, 3);
    streams[0]?.write('event: service\ndata: {"service":"web"}\n\n');
    await stdout.shows('web  state=removed');
    expect((await stop()).code).toBe(0);
    expect(stdout.text).toMatchInlineSnapshot(`
      "2026-11-23 03:13:32  mail  state=trial live=mail-b role=secondary health=degraded dark=mail-a dark-health=healthy testing=open testers=2 until=2026-11-23T03:22:44.000Z
      2026-11-23 03:13:32  ldap  state=settled live=ldap-a role=primary health=healthy dark=ldap-b dark-health=unhealthy testing=closed testers=0
      2026-11-23 03:13:32  db  state=held live=db-a role=primary health=healthy dark=db-b dark-health=healthy testing=open testers=0
      2026-11-23 03:13:32  web  state=settled live=web-a role=primary health=unknown dark=web-b dark-health=healthy testing=closed testers=2
      2026-11-23 03:13:32  mail  state=settled live=mail-a role=primary health=healthy dark=mail-b dark-health=healthy testing=closed testers=2
      2026-11-23 03:13:32  web  state=removed
      "
    `);
  });

  it('shows how many connections still drain, although no event tells of their end', async () => {
    const draining = (flows: number): ServiceView[] => [
      service('mail', { draining: { domu: 'mail-b', flows, until: '2026-11-23T03:17:44.000Z' } }),
    ];
    views = draining(3);
    const [screen, lines] = [start('watch', 100), start('watch')];
    await screen.stdout.shows('draining: 3 flows on mail-b, until 03:17:44 (in 4m 12s)');
    await lines.stdout.shows('draining=mail-b');
    views = draining(1);
    await screen.stdout.shows('draining: 1 flow on mail-b');
    views = [service('mail')];
    await lines.stdout.shows('testers=2\n');
    await Promise.all([screen.stop(), lines.stop()]);
    expect(lines.stdout.text.trimEnd().split('\n')).toHaveLength(2);
  });

  it('does not miss a change that happens while it is looking', async () => {
    const { stdout, stop } = start('watch');
    await connected(1);
    const slow: (() => void)[] = [];
    daemon.on('GET /v1/services', (_seen, response) => {
      const then = JSON.stringify(views);
      slow.push(() => response.end(then));
    });
    send(43, 'rollback');
    while (slow.length === 0) await sleep(5);
    views = [service('mail'), ...views.slice(1)];
    send(44, 'rollback');
    await sleep(50);
    slow[0]?.();
    while (slow.length === 1) await sleep(5);
    slow[1]?.();
    await stdout.shows('mail  state=settled');
    await stop();
  });

  it('draws the whole screen again on a terminal, and leaves it as it was', async () => {
    const { stdout, stop } = start('watch', 80);
    await stdout.shows('back to mail-a in 9m 12s');
    await connected(1);
    views = [service('mail')];
    send(43, 'rollback');
    await stdout.shows('entry 43');
    await stdout.shows('settled  ✓ mail-a');
    expect((await stop()).code).toBe(0);
    expect(stdout.text.startsWith('\x1b[?1049h')).toBe(true);
    expect(stdout.text.endsWith('\x1b[?1049l')).toBe(true);
  });

  it('shows that the daemon is gone, and what changed meanwhile when it is back', async () => {
    const { stdout, stop } = start('watch', 80);
    await connected(1);
    views = [service('fresh')];
    await daemon.restart();
    await stdout.shows('Trying again');
    await stdout.shows('fresh-a');
    await stop();
  });

  it('is 3 where there is no daemon to begin with', async () => {
    expect((await cli(['watch'], { socket: '/nowhere/director.sock' })).code).toBe(3);
  });
});

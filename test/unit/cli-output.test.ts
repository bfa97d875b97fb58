import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeDaemon, cli, entries, picture, problem, service, trial } from './support/cli.ts';

beforeAll(() => {
  process.env.TZ = 'UTC';
});

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await new FakeDaemon().start();
});
afterEach(() => daemon.destroy());

const run = (line: string, more: Parameters<typeof cli>[1] = {}) =>
  cli(line.split(' '), { socket: daemon.socket, ...more });

const asksForMail = (): FakeDaemon =>
  daemon
    .answer('GET /v1/services', 200, picture)
    .answer('GET /v1/services/mail', 200, picture[0])
    .answer('GET /v1/journal?limit=5&service=mail', 200, entries);

describe('status', () => {
  it.each([80, 120])('is one picture at %d columns, without colour', async (columns) => {
    asksForMail();
    const { out } = await run('status', { columns });
    expect(out).toMatchSnapshot();
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
  });

  it.each([80, 120])('shows one service with all that is known of it, at %d columns', async (columns) => {
    asksForMail();
    const { out } = await run('status mail', { columns });
    expect(out).toMatchSnapshot();
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
  });

  it.each([
    [
      { domu: 'mail-a', flows: 3, until: '2026-11-23T03:17:44.000Z' },
      '3 flows on mail-a, until 03:17:44 (in 4m 12s)',
    ],
    [{ domu: 'mail-a', flows: 1, until: null }, '1 flow on mail-a, until they end'],
  ])('tells what still drains: %j', async (draining, text) => {
    asksForMail();
    const mail = { ...picture[0], draining };
    daemon.answer('GET /v1/services', 200, [mail]).answer('GET /v1/services/mail', 200, mail);
    for (const columns of [undefined, 100]) {
      for (const line of ['status', 'status mail'])
        expect((await run(line, columns === undefined ? {} : { columns })).out).toContain(
          `draining: ${text}`,
        );
    }
  });

  it('gives every service one line where nobody looks at a terminal', async () => {
    asksForMail();
    const { out } = await run('status');
    expect(out).toMatchSnapshot();
    expect(out.trimEnd().split('\n')).toHaveLength(1 + picture.length);
  });

  it('is plain ASCII where the locale is', async () => {
    asksForMail();
    for (const env of [
      { LANG: 'C' },
      { LC_ALL: 'POSIX', LANG: 'en_US.UTF-8' },
      { LANG: 'de_DE.ISO-8859-1' },
    ]) {
      expect((await run('status', { columns: 80, env })).out).toMatch(/^[\x20-\x7e\n]+$/);
    }
    expect((await run('status', { columns: 80, env: { LANG: 'C.UTF-8' } })).out).toContain('✓');
  });

  it('narrows names rather than breaking lines', async () => {
    const long = service('a-long-service-x', {
      primary: { ...service('x').primary, domu: 'a-very-long-name-of-a-guest.example.org' },
      secondary: { ...service('x').secondary, domu: 'another-very-long-name-of-a-guest' },
    });
    daemon.answer('GET /v1/services', 200, [long]);
    const { out } = await run('status', { columns: 80 });
    expect(out).toContain('…');
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('says what to do where there is no service yet', async () => {
    daemon.answer('GET /v1/services', 200, []);
    expect((await run('status')).out).toContain('director reload');
  });

  it('does without the journal where that cannot be read', async () => {
    daemon.answer('GET /v1/services/mail', 200, picture[0]).answer('GET', 503, problem);
    const { code, out } = await run('status mail');
    expect(code).toBe(0);
    expect(out).toContain('br-mail');
  });
});

describe('what a switch did', () => {
  it('is told with names, times and flows', async () => {
    asksForMail().answer('POST', 201, trial);
    expect((await run('switch mail --to secondary')).out).toMatchInlineSnapshot(`
      "mail: mail-b is live since 03:12:44 (flipped in 38 µs, both families at once)
      120 connections stay on mail-a until they end; 3 UDP flows moved.
      On trial until 03:22:44 (10m): "director confirm mail" keeps it; without it everybody goes back by itself.
      "
    `);
  });

  it('names all services of one, and what was cut', async () => {
    asksForMail().answer('POST', 201, {
      ...trial,
      services: ['mail', 'gone'],
      confirmBy: null,
      kernel: { flipMicros: 41.4, familySkewMicros: 12 },
      flows: { kept: 0, cut: 1, udpFlushed: 0 },
    });
    expect((await run('switch mail gone --to secondary')).out).toMatchInlineSnapshot(`
      "mail: mail-b is live since 03:12:44 (all 2 flipped in 41 µs, 12 µs between the families)
      gone: the secondary is live since 03:12:44
      1 connection was cut.
      On trial without a time limit: "director confirm mail" keeps it, "director rollback mail" goes back.
      "
    `);
  });

  it('is told although its service cannot be looked at any more', async () => {
    daemon
      .answer('POST', 201, { ...trial, drainUntil: '2026-11-23T03:17:44.000Z' })
      .answer('GET', 503, problem);
    const { code, out } = await run('switch mail --to secondary');
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "mail: the secondary is live since 03:12:44 (flipped in 38 µs, both families at once)
      120 connections stay on the old DomUs until they end, at the latest 03:17:44; 3 UDP flows moved.
      On trial until 03:22:44 (10m): "director confirm mail" keeps it; without it everybody goes back by itself.
      "
    `);
  });

  it('fails where the switch did', async () => {
    daemon.answer('POST', 201, { ...trial, state: 'failed', error: 'ipset said EBUSY' });
    expect(await run('switch mail --to secondary')).toMatchObject({
      code: 1,
      out: '',
      err: 'director: The switch failed: ipset said EBUSY\n',
    });
  });
});

describe('the other verbs say in a sentence what they did', () => {
  const settled = service('mail', {
    testing: 'closed',
    primary: service('mail').secondary,
    secondary: service('mail').primary,
  });

  it.each([
    [
      'confirm',
      'confirmed',
      'mail: confirmed, mail-b is primary now, mail-a secondary.\nTesting is closed; "director testing mail open" opens it when the next version is on mail-a.\n',
    ],
    ['rollback', 'rolled-back', 'mail: rolled back, mail-b is live again.\n'],
  ])('%s', async (verb, state, text) => {
    let calls = 0;
    daemon
      .on('GET', (_seen, response) => response.end(JSON.stringify(calls++ === 0 ? picture[0] : settled)))
      .answer('POST', 200, { ...trial, state });
    expect((await run(`${verb} mail`)).out).toBe(text);
  });

  it.each([
    [
      'hold mail --for 5s',
      'mail: packets wait until 03:13:37 (5s); "director release mail" lets them pass earlier.\n',
    ],
    ['release mail', 'mail: packets pass again.\n'],
    ['testing mail open', 'mail: testing is open; 2 testers may reach mail-b.\n'],
    ['reload', 'The configuration is loaded; "director journal" tells what it changed.\n'],
    ['testers mail remove 198.51.100.7', 'mail: 198.51.100.7 is no tester any more.\n'],
  ])('%s', async (line, text) => {
    const held = service('mail', { held: true, heldUntil: '2026-11-23T03:13:37.000Z' });
    daemon.answer('POST', 200, held).answer('PUT', 200, held).answer('DELETE', 204);
    expect((await run(line)).out).toBe(text);
  });

  it('testers add says until when', async () => {
    daemon.answer('PUT', 201, picture[0]?.testers[1]);
    expect((await run('testers mail add 203.0.113.0/24 --for 8h')).out).toBe(
      'mail: 203.0.113.0/24 is a tester until 10:25:32 (8h).\n',
    );
  });

  it('testers lists them with their leases', async () => {
    daemon.answer('GET', 200, picture[0]?.testers);
    expect((await run('testers mail', { columns: 80 })).out).toMatchInlineSnapshot(`
      "SOURCE          LEASE                        NOTE
      198.51.100.7    permanent
      203.0.113.0/24  7h 12m left, until 10:25:32  QA
      "
    `);
  });

  it('whoami says where and why, and breaks a long reason', async () => {
    const row = { service: 'mail', domu: 'mail-b', role: 'secondary', live: false, testing: 'open' };
    const reason = '198.51.100.7 is a tester of mail (198.51.100.0/24, until 10:25:32), and testing is open';
    daemon.answer('GET', 200, { source: '198.51.100.7', services: [{ ...row, reason }] });
    expect((await run('whoami', { columns: 80 })).out).toMatchInlineSnapshot(`
      "198.51.100.7 is directed to:
      SERVICE  DOMU    ROLE             WHY
      mail     mail-b  secondary, dark  198.51.100.7 is a tester of mail
                                        (198.51.100.0/24, until 10:25:32), and testing
                                        is open
      "
    `);
  });

  it('plan says what and why, and keeps the lines of the rules', async () => {
    const change = { kind: 'set-add', what: 'dir-mail-testers: 198.51.100.7', why: 'somebody deleted it' };
    daemon.answer('GET', 200, {
      changes: [change],
      services: ['mail'],
      restore: { ipv4: '*nat\nCOMMIT\n', ipv6: '' },
    });
    expect((await run('plan --rules')).out).toMatchInlineSnapshot(`
      "1 change:
      set-add  dir-mail-testers: 198.51.100.7
               somebody deleted it

      # iptables-restore
      *nat
      COMMIT
      "
    `);
  });

  it('plan says so where there is nothing to change', async () => {
    daemon.answer('GET', 200, { changes: [], services: [], restore: { ipv4: '', ipv6: '' } });
    expect((await run('plan')).out).toBe('Nothing to change: the kernel holds what it should.\n');
  });

  it('journal has the newest last, with the full date where it is kept', async () => {
    daemon.answer('GET', 200, entries);
    expect((await run('journal')).out).toMatchInlineSnapshot(`
      "2026-11-22 22:01:05  ci              203.0.113.0/24 is a tester of mail for 8h
      2026-11-23 03:12:44  alice (socket)  mail is on mail-b (secondary), on trial until 03:22:44 (why: upgrade to 2.0)
      "
    `);
    expect((await run('journal', { columns: 80 })).out).toMatchInlineSnapshot(`
      "2026-11-22 22:01:05  ci              203.0.113.0/24 is a tester of mail for 8h
      03:12:44  alice (socket)  mail is on mail-b (secondary), on trial until 03:22:44
                                (why: upgrade to 2.0)
      "
    `);
  });
});

describe('--json', () => {
  it('prints what the API said, and nothing else', async () => {
    const body = [{ ...picture[0], newer: { key: 1 } }];
    daemon.answer('GET', 200, body);
    const { out, err } = await run('status --json', { columns: 80 });
    expect(JSON.parse(out)).toEqual(body);
    expect(err).toBe('');
  });

  it('prints the switch alone', async () => {
    daemon.answer('POST', 201, trial);
    const { out } = await run('switch mail --to secondary --json');
    expect(JSON.parse(out)).toEqual(trial);
    expect(daemon.calls()).toEqual(['POST /v1/switches']);
  });

  it('prints nothing where the API said nothing', async () => {
    daemon.answer('DELETE', 204);
    expect(await run('release mail --json')).toEqual({ code: 0, out: '', err: '' });
  });

  it('prints the problem as it came, on standard error', async () => {
    daemon.answer('POST', 409, { ...problem, extra: true });
    const { code, out, err } = await run('hold mail --for 5s --json');
    expect([code, out]).toEqual([1, '']);
    expect(JSON.parse(err)).toEqual({ ...problem, extra: true });
  });
});

describe('colour', () => {
  const escapes = '\x1b[';
  it.each<[string, NodeJS.ProcessEnv, number | undefined, string, boolean]>([
    ['a terminal has it', { NO_COLOR: '' }, 80, 'status', true],
    ['a pipe has not', { NO_COLOR: '' }, undefined, 'status', false],
    ['FORCE_COLOR gives it to a pipe', { NO_COLOR: '', FORCE_COLOR: '1' }, undefined, 'status', true],
    ['FORCE_COLOR=0 takes it from a terminal', { NO_COLOR: '', FORCE_COLOR: '0' }, 80, 'status', false],
    ['NO_COLOR takes it from a terminal', { NO_COLOR: '1' }, 80, 'status', false],
    ['a dumb terminal has not', { NO_COLOR: '', TERM: 'dumb' }, 80, 'status', false],
    ['--color wins over NO_COLOR', { NO_COLOR: '1' }, undefined, 'status --color', true],
    ['--no-color wins over FORCE_COLOR', { NO_COLOR: '', FORCE_COLOR: '1' }, 80, '--no-color status', false],
  ])('%s', async (_name, env, columns, line, colored) => {
    asksForMail();
    const { out } = await run(line, { env, ...(columns === undefined ? {} : { columns }) });
    expect(out.includes(escapes)).toBe(colored);
  });
});

it('prints nothing from others that would command the terminal', async () => {
  const evil = 'x\x1b]0;owned\x07\x9b2J\n\u202email settled';
  daemon.answer('GET /v1/services', 200, [
    service('mail', { secondary: { ...service('m').secondary, health: 'unhealthy', healthReason: evil } }),
  ]);
  daemon.answer('GET /v1/journal?limit=20', 200, [{ ...entries[0], why: evil, by: evil }]);
  daemon.answer('POST', 409, { ...problem, detail: evil, errors: [{ path: evil, message: evil }] });
  for (const line of ['status', 'journal', 'reload', 'status --json', 'reload --json']) {
    const { out, err } = await run(line);
    expect(out + err).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  }
});

it('shows times in the local time zone', async () => {
  process.env.TZ = 'Asia/Kolkata';
  try {
    daemon.answer('GET', 200, [entries[0]]);
    expect((await run('journal')).out).toContain('2026-11-23 08:42:44');
  } finally {
    process.env.TZ = 'UTC';
  }
});

import { createHash } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { problem } from '../../src/api/contract.ts';
import type { Access } from '../../src/api/context.ts';
import { DirectorError, KernelError, Refusal } from '../../src/lib/errors.ts';
import type { RefusalKind } from '../../src/lib/errors.ts';
import { appWith } from './support/api-double.ts';
import { DirectorDouble } from './support/director-double.ts';

type Injected = Awaited<ReturnType<Awaited<ReturnType<typeof appWith>>['app']['inject']>>;

const ends: (() => Promise<void>)[] = [];
const start = async (access?: Access, director?: DirectorDouble) => {
  const started = await appWith(access, director);
  ends.push(started.close);
  return started;
};
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const problemIn = (answer: Injected) => {
  expect(answer.headers['content-type']).toBe('application/problem+json');
  const view = problem.strict().parse(answer.json());
  expect(view.status).toBe(answer.statusCode);
  expect(answer.body).not.toMatch(/node_modules|\.ts:|at .*\(/);
  return view;
};
const JSON_TYPE = { 'content-type': 'application/json' };

test.each([
  ['invalid', 400],
  ['unknown', 404],
  ['conflict', 409],
  ['stale', 412],
  ['unprocessable', 422],
  ['unavailable', 503],
] satisfies [RefusalKind, number][])(
  'a refusal that is %s is %i, with its faults and its hint',
  async (kind, status) => {
    const { app, director } = await start();
    director.fail = new Refusal(kind, 'no', {
      faults: [{ path: 'x', message: 'bad', line: 3 }],
      hint: 'try y',
    });
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/services/mail/hold',
      payload: { for: '5s' },
    });
    expect(answer.statusCode).toBe(status);
    expect(problemIn(answer)).toMatchObject({
      detail: 'no',
      hint: 'try y',
      errors: [{ path: 'x', message: 'bad', line: 3 }],
    });
  },
);

test('what the kernel refused is 503 with what it said', async () => {
  const { app, director } = await start();
  director.fail = new KernelError('dir-trial could not be swapped: EBUSY', { code: 'EBUSY' });
  const answer = await app.inject({
    method: 'PUT',
    url: '/v1/services/mail/testing',
    payload: { state: 'open' },
  });
  expect(answer.statusCode).toBe(503);
  expect(problemIn(answer)).toMatchObject({ detail: 'dir-trial could not be swapped: EBUSY', code: 'EBUSY' });
});

test('what the director found wrong itself is told as it is, with what to do: 503', async () => {
  const { app, director, log } = await start();
  const hint = 'does another program change the same rules?';
  director.fail = new DirectorError('the kernel does not keep what it was given', { hint });
  const answer = await app.inject({ method: 'DELETE', url: '/v1/services/mail' });
  expect(answer.statusCode).toBe(503);
  expect(problemIn(answer)).toMatchObject({ detail: 'the kernel does not keep what it was given', hint });
  expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
});

test('what nobody foresaw is 500: the log has its stack, the client has not', async () => {
  const { app, director, log } = await start();
  director.fail = new TypeError('secret of the inside');
  const answer = await app.inject({ method: 'DELETE', url: '/v1/services/mail' });
  expect(answer.statusCode).toBe(500);
  expect(problemIn(answer).detail).not.toContain('secret');
  const line = log.lines.find(({ level }) => level === 'error');
  expect(line?.what).toMatchObject({ error: 'secret of the inside' });
  expect((line?.what as { stack: string }).stack).toContain('api-problems.test.ts');
});

test.each([
  ['GET', '/nowhere', 404],
  ['POST', '/', 404],
  ['GET', '/v1/services/', 404],
  ['GET', '/v1/services/mail/', 404],
  ['GET', `/${'x'.repeat(5000)}`, 404],
  ['GET', '/v1/services/%ZZ', 400],
  ['GET', `/v1/switches/${'x'.repeat(300)}`, 414],
] as const)('%s %s is a problem, too: %i', async (method, url, status) => {
  const { app } = await start();
  const answer = await app.inject({ method, url });
  expect(answer.statusCode).toBe(status);
  problemIn(answer);
});

test.each([
  ['DELETE', '/v1/services', 'GET, HEAD'],
  ['POST', '/v1/services/mail', 'DELETE, GET, HEAD, PUT'],
  ['PUT', '/v1/services/mail/hold?x=1', 'DELETE, POST'],
  ['HEAD', '/v1/events', 'GET'],
  ['OPTIONS', '/healthz', 'GET, HEAD'],
  ['PATCH', '/openapi.json', 'GET, HEAD'],
] as const)('%s %s is 405 and says what is allowed: %s', async (method, url, allow) => {
  const { app } = await start();
  const answer = await app.inject({ method, url, payload: 'not even JSON' });
  expect([answer.statusCode, answer.headers.allow]).toEqual([405, allow]);
});

test('a body that is not JSON is 415, malformed 400, too large 413, poisoned 400', async () => {
  const { app, director } = await start();
  const post = (payload: string, headers: Record<string, string> = JSON_TYPE) =>
    app.inject({ method: 'POST', url: '/v1/switches', payload, headers });
  const cases: [Injected, number][] = [
    [await post('{}', { 'content-type': 'text/plain' }), 415],
    [await post('a=b', { 'content-type': 'application/x-www-form-urlencoded' }), 415],
    [await post('{}', { 'content-type': 'nonsense' }), 415],
    [await post('{}', {}), 415],
    [await post('{"services": ['), 400],
    [await post('"text"'), 400],
    [await post('[]'), 400],
    [await post('{"__proto__": {"x": 1}}'), 400],
    [await post(`{"reason": "${'x'.repeat(1024 * 1024)}"}`), 413],
  ];
  for (const [answer, status] of cases) {
    expect(answer.statusCode).toBe(status);
    problemIn(answer);
  }
  expect(director.calls).toEqual([]);
});

test('a POST with a key that was seen answers as it did the first time, and does nothing', async () => {
  const { app, director } = await start();
  const post = (payload: object, key = 'k1') =>
    app.inject({ method: 'POST', url: '/v1/switches', payload, headers: { 'idempotency-key': key } });
  const order = { services: ['mail'], to: 'secondary' };
  const first = await post(order);
  const second = await post(order);
  expect([second.statusCode, second.body]).toEqual([201, first.body]);
  expect(first.headers['idempotency-replayed']).toBeUndefined();
  expect(second.headers).toMatchObject({
    'idempotency-replayed': 'true',
    location: '/v1/switches/s1',
    'content-type': first.headers['content-type'],
  });
  expect(director.calls).toHaveLength(1);
  expect((await post({ ...order, to: 'primary' })).statusCode).toBe(422);
  expect((await post(order, 'k2')).json()).toMatchObject({ id: 's2' });
});

test('requests with the same key at the same time are done once, those with other keys do not wait', async () => {
  const { app, director } = await start();
  let open: () => void = () => undefined;
  director.gate = new Promise((resolve) => (open = resolve));
  const post = (key: string) =>
    app.inject({
      method: 'POST',
      url: '/v1/services/mail/hold',
      payload: { for: '1s' },
      headers: { 'idempotency-key': key },
    });
  const same = [post('k'), post('k'), post('k')];
  const other = post('other');
  while (director.calls.length < 2) await new Promise((resolve) => setImmediate(resolve));
  open();
  const answers = await Promise.all(same);
  expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
  expect(answers.map(({ headers }) => headers['idempotency-replayed'])).toEqual([undefined, 'true', 'true']);
  expect((await other).statusCode).toBe(200);
  expect(director.calls).toHaveLength(2);
});

test('a refusal is kept under its key, a failure is not', async () => {
  const { app, director } = await start();
  const post = (key: string) =>
    app.inject({ method: 'POST', url: '/v1/reload', headers: { 'idempotency-key': key } });
  director.fail = new Refusal('conflict', 'not now');
  expect((await post('a')).statusCode).toBe(409);
  const again = await post('a');
  expect([again.statusCode, problemIn(again).detail]).toEqual([409, 'not now']);
  director.fail = new KernelError('busy');
  expect((await post('b')).statusCode).toBe(503);
  expect((await post('b')).statusCode).toBe(204);
  const replayed = await post('b');
  expect([replayed.statusCode, replayed.headers['idempotency-replayed']]).toEqual([204, 'true']);
});

test.each(['', ' ', 'two words', 'x'.repeat(256), 'ümlaut'])('the key "%s" is 400', async (key) => {
  const { app, director } = await start();
  const headers = { 'idempotency-key': key };
  const answer = await app.inject({ method: 'POST', url: '/v1/reload', headers });
  expect(answer.statusCode).toBe(400);
  expect(director.calls).toEqual([]);
});

test('over the socket the command line says who it is, and a name that is none is not believed', async () => {
  const { app, director } = await start();
  const as = async (user: string) => {
    await app.inject({ method: 'POST', url: '/v1/reload', headers: { 'x-director-user': user } });
    return director.calls.at(-1)?.[1];
  };
  expect(await as('alice')).toMatchObject({ by: 'alice (socket)' });
  expect(await as('Alice\u0000 (token)')).toMatchObject({ by: 'socket' });
  expect(await as('x'.repeat(40))).toMatchObject({ by: 'socket' });
});

const token = 'correct-horse';
const tcp = (
  tokens = [{ name: 'ops', sha256: createHash('sha256').update(token).digest('hex') }],
): Access => ({
  via: 'tcp',
  tokens: () => [{ name: 'other', sha256: '0'.repeat(64) }, ...tokens].slice(tokens.length === 0 ? 1 : 0),
  knowsHost: (host) => host === 'dom0.example.org',
});

test('over TCP reading is free, and changing needs a token whose name is who did it', async () => {
  const { app, director } = await start(tcp());
  expect((await app.inject('/v1/services')).statusCode).toBe(200);
  const put = (authorization?: string) =>
    app.inject({
      method: 'PUT',
      url: '/v1/services/mail/testing',
      payload: { state: 'closed' },
      headers: { 'x-director-user': 'root', ...(authorization === undefined ? {} : { authorization }) },
    });
  const wrong = [
    undefined,
    'Bearer wrong',
    'Bearer ',
    `Basic ${token}`,
    token,
    `Bearer ${token}x`,
    `Bearer ${token} x`,
  ];
  for (const authorization of wrong) {
    const answer = await put(authorization);
    expect([answer.statusCode, answer.headers['www-authenticate']]).toEqual([
      401,
      'Bearer realm="dom0-director"',
    ]);
    problemIn(answer);
  }
  expect(director.calls).toEqual([]);
  expect((await put(`Bearer ${token}`)).statusCode).toBe(200);
  expect((await put(`bearer ${token}`)).statusCode).toBe(200);
  expect(director.calls[0]?.at(-1)).toEqual({ by: 'ops', reason: undefined });
});

test('every route that changes something asks for the token', async () => {
  const director = new DirectorDouble('mail');
  const { app } = await start(tcp(), director);
  const paths = (app.swagger() as { paths: Record<string, Record<string, unknown>> }).paths;
  let asked = 0;
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of Object.keys(methods).filter((name) => name !== 'get')) {
      const url = path.replaceAll(/\{\w+\}/g, 'x');
      const answer = await app.inject({ method: method.toUpperCase() as 'POST', url, headers: JSON_TYPE });
      expect([401, 403]).toContain(answer.statusCode);
      asked++;
    }
  }
  expect(asked).toBeGreaterThanOrEqual(11);
  expect(director.calls).toEqual([]);
});

test('without any configured token the refusal says how to configure one', async () => {
  const { app } = await start(tcp([]));
  const answer = await app.inject({ method: 'DELETE', url: '/v1/services/mail' });
  expect(answer.statusCode).toBe(401);
  expect(problemIn(answer).hint).toContain('sha256');
});

test('reload and teardown are refused over TCP, token or not', async () => {
  const { app, director } = await start(tcp());
  for (const url of ['/v1/reload', '/v1/teardown']) {
    const headers = { authorization: `Bearer ${token}` };
    expect((await app.inject({ method: 'POST', url, headers })).statusCode).toBe(403);
    expect((await app.inject({ method: 'POST', url })).statusCode).toBe(403);
  }
  expect(director.calls).toEqual([]);
});

test.each([
  ['evil.example', 421],
  ['127.0.0.1.evil.example', 421],
  ['localhost.evil.example:8440', 421],
  ['[::1].evil.example', 421],
  ['a b', 421],
  ['127.0.0.1:8440', 200],
  ['[::1]:8440', 200],
  ['192.0.2.1', 200],
  ['LOCALHOST:1', 200],
  ['dom0.example.org:8440', 200],
])(
  'over TCP, a request for the host "%s" is %i: a page cannot reach us under a name of its own',
  async (host, status) => {
    const { app } = await start(tcp());
    const answer = await app.inject({ url: '/v1/services', headers: { host } });
    expect(answer.statusCode).toBe(status);
    if (status !== 200) problemIn(answer);
  },
);

test('whoami over TCP is the address that the caller has', async () => {
  const { app } = await start(tcp());
  const source = async (remoteAddress: string) =>
    (await app.inject({ url: '/v1/whoami', remoteAddress })).json<{ source: string | null }>().source;
  expect(await source('198.51.100.7')).toBe('198.51.100.7');
  expect(await source('::ffff:198.51.100.7')).toBe('198.51.100.7');
  expect(await source('fe80::1%eth0')).toBe('fe80::1');
});

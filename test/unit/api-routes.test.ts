import { afterEach, beforeEach, expect, test } from 'vitest';
import * as contract from '../../src/api/contract.ts';
import type { App } from '../../src/api/context.ts';
import { appWith } from './support/api-double.ts';
import { CountedTurns } from './support/counted-turns.ts';
import { NOW } from './support/director-double.ts';
import type { DirectorDouble } from './support/director-double.ts';

let app: App;
let director: DirectorDouble;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ app, director, close } = await appWith());
});
afterEach(() => close());

const call = async (method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, payload?: object) => {
  const answer = await app.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
  return { status: answer.statusCode, headers: answer.headers, text: answer.body, json: parse(answer.body) };
};
const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};
const by = { by: 'socket', reason: undefined };

test('a service is shown as the contract says, with its roles, health and flows', async () => {
  const { status, json, headers } = await call('GET', '/v1/services/mail');
  expect(status).toBe(200);
  expect(headers.etag).toBe('"1"');
  const view = contract.serviceView.strict().parse(json);
  expect(view).toMatchObject({
    name: 'mail',
    phase: 'settled',
    live: 'primary',
    held: false,
    primary: { domu: 'mail-a', health: 'healthy', flows: 12 },
    secondary: { domu: 'mail-b', health: 'degraded', healthReason: '10.50.0.3:25: connection refused' },
    ports: ['25/tcp', '80/tcp', '8000-8009/tcp', '514/udp'],
    testers: [{ source: '198.51.100.7', kind: 'permanent' }],
    generation: 1,
  });
});

test('after exchanged roles and in a trial, the secondary is the other DomU and is live', async () => {
  const before = director.table.get('mail')!;
  director.table.set('mail', {
    ...before,
    state: { ...before.state, primary: 'b', trial: { switchId: 's1', confirmBy: NOW }, heldUntil: NOW },
  });
  const view = contract.serviceView.parse((await call('GET', '/v1/services/mail')).json);
  expect(view).toMatchObject({
    phase: 'trial',
    live: 'secondary',
    held: true,
    heldUntil: '2026-01-02T03:04:05.000Z',
    primary: { domu: 'mail-b', flows: 3 },
    secondary: { domu: 'mail-a', flows: 12 },
  });
});

test('services are a bare array in the order of the director', async () => {
  const { json } = await call('GET', '/v1/services');
  expect((json as { name: string }[]).map(({ name }) => name)).toEqual(['mail', 'ldap']);
});

test('many services are listed a few at a time, and none of them is no list', async () => {
  const turns = new CountedTurns();
  const mail = director.table.get('mail')!;
  director.table.clear();
  expect((await call('GET', '/v1/services')).json).toEqual([]);
  for (let n = 0; n < 200; n++) director.table.set(`s${n}`, turns.counting(mail, 'generation'));
  const { json, headers } = await turns.during(() => call('GET', '/v1/services'));
  expect(headers['content-type']).toBe('application/json; charset=utf-8');
  expect(contract.serviceView.array().parse(json)).toHaveLength(200);
  expect(turns.all).toBeGreaterThanOrEqual(200);
  expect(turns.mostAtOnce).toBeLessThan(20);
});

test.each(['nobody', 'NOT-A-NAME', '..%2fetc', 'x'.repeat(150)])('%s is no service: 404', async (name) => {
  const { status, json } = await call('GET', `/v1/services/${name}`);
  expect(status).toBe(404);
  expect(contract.problem.parse(json).detail).toContain('there is no service');
});

test('a new service is 201 with its place, a known one 200; both with an ETag', async () => {
  const made = await call('PUT', '/v1/services/www?reason=new', { addresses: [] });
  expect([made.status, made.headers.location, made.headers.etag]).toEqual([201, '/v1/services/www', '"1"']);
  expect(director.calls.at(-1)).toEqual([
    'define',
    'www',
    { addresses: [] },
    { by: 'socket', reason: 'new' },
    undefined,
  ]);
  const again = await call('PUT', '/v1/services/www', { addresses: [] });
  expect([again.status, again.headers.etag]).toEqual([200, '"2"']);
});

test("every fault that the director finds in a definition is an entry of errors[], and the API's own check hides none", async () => {
  const { status, json } = await call('PUT', '/v1/services/www');
  expect(status).toBe(400);
  expect(contract.problem.parse(json).errors).toEqual([
    { path: 'addresses', message: 'is missing' },
    { path: 'ports[0]', message: '"25" needs its protocol: write 25/tcp or 25/udp' },
  ]);
});

test('a name that no service can have is refused where one would be made', async () => {
  const { status, json } = await call('PUT', '/v1/services/No', {});
  expect([status, contract.problem.parse(json).errors[0]?.path]).toEqual([400, '{name}']);
  expect(director.calls).toEqual([]);
});

test('a removed service is gone', async () => {
  expect((await call('DELETE', '/v1/services/mail')).status).toBe(204);
  expect((await call('GET', '/v1/services/mail')).status).toBe(404);
});

test('If-Match: the generation of now passes, an older one is 412, nonsense is 400', async () => {
  const put = async (tag: string, name = 'mail') =>
    (
      await app.inject({
        method: 'PUT',
        url: `/v1/services/${name}`,
        headers: { 'if-match': tag },
        payload: {},
      })
    ).statusCode;
  expect(await put('"1"')).toBe(200);
  expect(director.calls.at(-1)?.at(-1)).toBe(1);
  expect(await put('"1"')).toBe(412);
  expect(await put('"7", "2"')).toBe(200);
  expect(await put('*')).toBe(200);
  expect(director.calls.at(-1)?.at(-1)).toBe(3);
  expect(await put('W/"4"')).toBe(412);
  expect(await put('*', 'nobody')).toBe(412);
  for (const nonsense of ['4', '""" ', 'W/4', '"1" "2"']) expect(await put(nonsense)).toBe(400);
  expect(
    (await app.inject({ method: 'DELETE', url: '/v1/services/mail', headers: { 'if-match': '"1"' } }))
      .statusCode,
  ).toBe(412);
});

test('a switch is 201 with its place; durations arrive in milliseconds, "never" as null', async () => {
  const { status, headers, json } = await call('POST', '/v1/switches', {
    services: ['mail', 'ldap'],
    to: 'secondary',
    connections: 'cut',
    drainFor: '5m',
    confirmWithin: 'never',
    force: true,
    reason: 'mail 2.0',
  });
  expect([status, headers.location]).toEqual([201, '/v1/switches/s1']);
  expect(contract.switchView.strict().parse(json)).toMatchObject({
    id: 's1',
    by: 'socket',
    reason: 'mail 2.0',
    kernel: { flipMicros: 15, familySkewMicros: 0 },
    flows: { kept: 4, cut: 0, udpFlushed: 2 },
    committedAt: '2026-01-02T03:04:05.001Z',
  });
  expect(director.calls).toEqual([
    [
      'switchOver',
      {
        services: ['mail', 'ldap'],
        to: 'secondary',
        connections: 'cut',
        force: true,
        drainFor: 300_000,
        confirmWithin: null,
      },
      { by: 'socket', reason: 'mail 2.0' },
    ],
  ]);
});

test('a switch that says nothing of durations leaves them to the definition', async () => {
  await call('POST', '/v1/switches', { services: ['mail'], to: 'primary' });
  expect(director.calls[0]?.[1]).toEqual({
    services: ['mail'],
    to: 'primary',
    drainFor: undefined,
    confirmWithin: undefined,
  });
});

test('each fault of a body has its own entry and its path', async () => {
  const { status, json } = await call('POST', '/v1/switches', {
    services: ['mail', 'No!'],
    to: 'left',
    confirmWithin: '10 minutes',
    fource: true,
  });
  expect(status).toBe(400);
  const { errors, detail } = contract.problem.parse(json);
  expect(errors.map(({ path }) => path).toSorted()).toEqual([
    '/confirmWithin',
    '/fource',
    '/services/1',
    '/to',
  ]);
  expect(errors.find(({ path }) => path === '/confirmWithin')?.message).toContain('500ms, 30s, 5m, 2h');
  expect(detail).toContain('4 places');
  expect(director.calls).toEqual([]);
});

test.each([
  ['/v1/switches', { services: ['mail'], to: 'primary', confirmWithin: '0s' }, '/confirmWithin'],
  ['/v1/switches', { services: ['mail'], to: 'primary', confirmWithin: '25d' }, '/confirmWithin'],
  ['/v1/switches', { services: ['mail'], to: 'primary', drainFor: '9999999999d' }, '/drainFor'],
  ['/v1/services/mail/hold', { for: '0ms' }, '/for'],
  ['/v1/services/mail/hold', { for: '25d' }, '/for'],
  ['/v1/services/mail/hold', { for: 5 }, '/for'],
  ['/v1/services/mail/hold', {}, '/for'],
])('POST %s %j is 400 at %s, and asks nothing of the director', async (url, payload, path) => {
  const { status, json } = await call('POST', url, payload);
  expect([status, contract.problem.parse(json).errors.map((error) => error.path)]).toEqual([400, [path]]);
  expect(director.calls).toEqual([]);
});

test('a body that is missing where one is needed is 400 and says so', async () => {
  const { status, json } = await call('POST', '/v1/switches');
  expect(status).toBe(400);
  expect(contract.problem.parse(json).errors[0]?.message).toContain('a JSON object is needed');
});

test('confirm and rollback end the trial, with or without a body', async () => {
  await call('POST', '/v1/switches', { services: ['mail'], to: 'secondary' });
  const confirmed = await call('POST', '/v1/switches/s1/confirm');
  expect([confirmed.status, contract.switchView.parse(confirmed.json).state]).toEqual([200, 'confirmed']);
  const back = await call('POST', '/v1/switches/s1/rollback', { reason: 'no' });
  expect(contract.switchView.parse(back.json)).toMatchObject({ state: 'rolled-back' });
  expect(director.calls.at(-1)).toEqual(['rolled-back', 's1', { by: 'socket', reason: 'no' }]);
  expect((await call('POST', '/v1/switches/s9/confirm')).status).toBe(404);
  expect((await call('GET', '/v1/switches/s1')).status).toBe(200);
});

test('a body that is empty is no body, though its type is said to be JSON', async () => {
  await call('POST', '/v1/switches', { services: ['mail'], to: 'secondary' });
  const headers = { 'content-type': 'application/json' };
  const confirmed = await app.inject({ method: 'POST', url: '/v1/switches/s1/confirm', headers });
  expect(confirmed.statusCode).toBe(200);
  const released = await app.inject({
    method: 'DELETE',
    url: '/v1/services/mail/hold',
    headers,
    payload: '',
  });
  expect(released.statusCode).toBe(200);
});

test('a hold is begun and ended', async () => {
  const held = await call('POST', '/v1/services/mail/hold', { for: '5s', reason: 'rsync' });
  expect(contract.serviceView.parse(held.json)).toMatchObject({ held: true });
  expect(director.calls.at(-1)).toEqual(['hold', 'mail', 5000, { by: 'socket', reason: 'rsync' }]);
  const free = await call('DELETE', '/v1/services/mail/hold');
  expect(contract.serviceView.parse(free.json)).toMatchObject({ held: false, heldUntil: null });
});

test('a tester is enrolled (201), changed (200), shown, listed and removed (204, then 404)', async () => {
  const url = '/v1/services/mail/testers/203.0.113.0%2F24';
  const made = await call('PUT', url, { expiresIn: '8h', note: 'the mail team' });
  expect(made.status).toBe(201);
  expect(contract.testerView.strict().parse(made.json)).toEqual({
    source: '203.0.113.0/24',
    kind: 'leased',
    expiresAt: '2026-01-02T11:04:05.000Z',
    note: 'the mail team',
  });
  const changed = await call('PUT', url);
  expect([changed.status, (changed.json as { expiresAt: null }).expiresAt]).toEqual([200, null]);
  expect((await call('GET', url)).status).toBe(200);
  expect((await call('GET', '/v1/services/mail/testers')).json).toHaveLength(2);
  expect((await call('DELETE', url)).status).toBe(204);
  expect((await call('DELETE', url)).status).toBe(404);
  expect((await call('GET', url)).status).toBe(404);
});

test.each(['2001%3Adb8%3A%3A7', '2001:db8::7', '2001:0db8:0:0::7', '2001:db8::7%2F128'])(
  'a tester is the same however it is spelt: %s',
  async (source) => {
    await call('PUT', '/v1/services/mail/testers/2001:db8::7', {});
    expect((await call('PUT', `/v1/services/mail/testers/${source}`, {})).status).toBe(200);
  },
);

test.each(['010.1.1.1', '203.0.113.1%2F24', 'mail.example.org', '1.2.3.4%2F33', '%3Cscript%3E'])(
  '%s is no source: 400',
  async (source) => {
    expect((await call('PUT', `/v1/services/mail/testers/${source}`, {})).status).toBe(400);
    expect((await call('DELETE', `/v1/services/mail/testers/${source}`)).status).toBe(400);
    expect(director.calls).toEqual([]);
  },
);

test.each(['0.0.0.0%2F0', '::%2F0', '127.0.0.1', '224.0.0.0%2F24', '::ffff:203.0.113.9'])(
  '%s is everybody or nobody, and is not enrolled: 422',
  async (source) => {
    const { status, json } = await call('PUT', `/v1/services/mail/testers/${source}`, {});
    expect([status, contract.problem.parse(json).errors[0]?.path]).toEqual([422, '{source}']);
    expect(director.calls).toEqual([]);
    // One from before this was refused can still be removed.
    expect((await call('DELETE', `/v1/services/mail/testers/${source}`)).status).toBe(404);
  },
);

test('a lease of no time, or of more than the kernel keeps, is 400', async () => {
  for (const expiresIn of ['0s', '30d', 'never', '']) {
    const { status } = await call('PUT', '/v1/services/mail/testers/203.0.113.9', { expiresIn });
    expect(status).toBe(400);
  }
});

test('testing is opened and closed', async () => {
  const { status, json } = await call('PUT', '/v1/services/mail/testing', { state: 'closed' });
  expect([status, contract.serviceView.parse(json).testing]).toEqual([200, 'closed']);
  expect(director.calls.at(-1)).toEqual(['setTesting', 'mail', 'closed', by]);
  expect((await call('PUT', '/v1/services/mail/testing', { state: 'ajar' })).status).toBe(400);
});

test('whoami over the socket is this host itself, or ?source=', async () => {
  const self = contract.whoamiView.strict().parse((await call('GET', '/v1/whoami')).json);
  expect([self.source, self.services[0]?.reason]).toEqual([null, 'this host itself']);
  const other = await call('GET', '/v1/whoami?source=2001:0db8::7');
  expect((other.json as { source: string }).source).toBe('2001:db8::7');
  for (const wrong of ['10.0.0.0/8', '010.1.1.1', '', 'x']) {
    expect((await call('GET', `/v1/whoami?source=${wrong}`)).status).toBe(400);
  }
});

test('the plan says what would change, in words, and why', async () => {
  director.pending = {
    operations: [
      { kind: 'bridge-add', bridge: { name: 'br-mail' }, why: 'mail needs it' },
      {
        kind: 'choice-swap',
        choice: { elements: [{ key: '192.0.2.25,tcp:25', expiresAt: null }] },
        why: 'trial',
      },
    ],
    services: ['mail'],
    restore: { ipv4: '*nat\nCOMMIT\n', ipv6: '' },
  };
  const view = contract.planView.strict().parse((await call('GET', '/v1/plan')).json);
  expect(view).toEqual({
    changes: [
      { kind: 'bridge-add', what: 'make the bridge br-mail', why: 'mail needs it' },
      { kind: 'choice-swap', what: 'exchange the choice for: 192.0.2.25,tcp:25', why: 'trial' },
    ],
    services: ['mail'],
    restore: { ipv4: '*nat\nCOMMIT\n', ipv6: '' },
  });
});

test('the journal is paged by Link to its end, newest first, and by service', async () => {
  for (let i = 1; i <= 5; i++) director.record('hold', `entry ${i}`, [i === 3 ? 'ldap' : 'mail']);
  const seen: number[] = [];
  let url: string | undefined = '/v1/journal?limit=2&service=mail';
  while (url !== undefined) {
    const { json, headers } = await call('GET', url);
    seen.push(
      ...contract.journalEntry
        .strict()
        .array()
        .parse(json)
        .map(({ id }) => id),
    );
    url = /^<(.*)>; rel="next"$/.exec(headers.link as string)?.[1];
  }
  expect(seen).toEqual([5, 4, 2, 1]);
});

test('switches are paged by their ids', async () => {
  for (let i = 0; i < 3; i++) await call('POST', '/v1/switches', { services: ['mail'], to: 'secondary' });
  const first = await call('GET', '/v1/switches?limit=2');
  expect((first.json as { id: string }[]).map(({ id }) => id)).toEqual(['s3', 's2']);
  expect(first.headers.link).toBe('</v1/switches?limit=2&before=s2>; rel="next"');
  const second = await call('GET', '/v1/switches?limit=2&before=s2');
  expect((second.json as { id: string }[]).map(({ id }) => id)).toEqual(['s1']);
  expect(second.headers.link).toBeUndefined();
});

test.each(['limit=0', 'limit=1001', 'limit=x', 'limit=', 'limit=1&limit=2', 'before=-1', 'service=No!'])(
  'GET /v1/journal?%s is 400',
  async (query) => {
    expect((await call('GET', `/v1/journal?${query}`)).status).toBe(400);
  },
);

test('reload and teardown are done over the socket', async () => {
  expect((await call('POST', '/v1/reload')).status).toBe(204);
  expect((await call('POST', '/v1/teardown', { reason: 'bye' })).status).toBe(204);
  expect(director.calls).toEqual([
    ['reload', by],
    ['teardown', { by: 'socket', reason: 'bye' }],
  ]);
});

test('alive always, ready only when the director says so', async () => {
  expect((await call('GET', '/healthz')).status).toBe(200);
  expect((await call('GET', '/readyz')).status).toBe(200);
  director.ready = { ready: false, problems: ['ipset is missing'], since: NOW };
  const { status, json } = await call('GET', '/readyz');
  expect(status).toBe(503);
  expect(contract.readyView.strict().parse(json).problems).toEqual(['ipset is missing']);
  expect((await call('GET', '/healthz')).status).toBe(200);
});

test('metrics are passed on as they are', async () => {
  const { text, headers } = await call('GET', '/metrics');
  expect([text, headers['content-type']]).toEqual(['up 1\n', 'text/plain; version=0.0.4']);
});

test('the load of the host is told in cores, and the packets as each DomU sees them', async () => {
  const { status, json } = await call('GET', '/v1/capacity?for=500ms');
  expect(status).toBe(200);
  const view = contract.capacityView.strict().parse(json);
  expect(view).toMatchObject({ seconds: 0.5, cores: 4, cpu: { idle: 2, iowait: 0.25 } });
  // What vif1.0 receives, mail-a has sent; vif2.0 is not there.
  expect(view.domus.slice(0, 2)).toEqual([
    expect.objectContaining({
      domu: 'mail-a',
      role: 'primary',
      packetsIn: 200,
      packetsOut: 100,
      bytesIn: 20_000,
    }),
    expect.objectContaining({ domu: 'mail-b', role: 'secondary', packetsIn: null, bytesOut: null }),
  ]);
});

test.each(['99ms', '21s', '3', 'soon'])('the host is not looked at for %s: 400', async (text) => {
  const { status, json } = await call('GET', `/v1/capacity?for=${text}`);
  expect(status).toBe(400);
  expect(contract.problem.parse(json).errors).toHaveLength(1);
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Access, App } from '../../src/api/context.ts';
import type { SelfTestingView } from '../../src/api/contract.ts';
import { readPage } from '../../src/api/page-files.ts';
import { appWith, SOCKET } from './support/api-double.ts';
import type { Extras } from './support/api-double.ts';
import { DirectorDouble, network } from './support/director-double.ts';

/** SHA-256 of "secret". */
const SECRET = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b';
const TCP: Access = {
  via: 'tcp',
  tokens: () => [{ name: 'alice', sha256: SECRET }],
  knowsHost: (host) => host === 'dom0.example.org',
};
const QA = { enrol: 8 * 3_600_000, from: [network('198.51.100.0/24'), network('2001:db8:100::/48')] };
const PROXY = network('192.0.2.80');

let director: DirectorDouble;
let close: () => Promise<void> = () => Promise.resolve();
beforeEach(() => {
  director = new DirectorDouble('mail', 'ldap');
});
afterEach(() => close());

async function serve(access: Access, extras: Extras = {}): Promise<App> {
  const served = await appWith(access, director, extras);
  close = served.close;
  return served.app;
}

type Headers = Record<string, string>;
interface Ask {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly from?: string;
  readonly headers?: Headers;
  readonly payload?: object;
}

async function ask(app: App, url: string, { method = 'GET', from = '198.51.100.20', ...rest }: Ask = {}) {
  const answer = await app.inject({ method, url, remoteAddress: from, ...rest });
  return { status: answer.statusCode, headers: answer.headers, text: answer.body, raw: answer.rawPayload };
}

const whoAmI = async (app: App, from: string, headers: Headers = {}): Promise<SelfTestingView> =>
  JSON.parse((await ask(app, '/v1/whoami/testing', { from, headers })).text) as SelfTestingView;

describe('who the caller is', () => {
  const extras = { qa: QA, trustedProxies: [PROXY] };

  test.each<[string, string, Headers, string | null]>([
    ['comes directly', '198.51.100.20', {}, '198.51.100.20'],
    ['comes directly, on a socket for both families', '::ffff:198.51.100.20', {}, '198.51.100.20'],
    ['comes from the host itself', '127.0.0.1', {}, null],
    [
      'comes from the host itself and claims another',
      '127.0.0.1',
      { 'x-forwarded-for': '198.51.100.7' },
      null,
    ],
    ['claims to be another', '198.51.100.20', { 'x-forwarded-for': '198.51.100.7' }, null],
    ['comes through a proxy that nobody trusts', '198.51.100.20', { via: '1.1 elsewhere' }, null],
    ['is behind the trusted proxy', '192.0.2.80', { 'x-forwarded-for': '198.51.100.7' }, '198.51.100.7'],
    [
      'is behind it, by RFC 7239',
      '192.0.2.80',
      { forwarded: 'for="[2001:db8:100::7]:4711";proto=https' },
      '2001:db8:100::7',
    ],
    ['claims more before it', '192.0.2.80', { 'x-forwarded-for': '10.0.0.1, 198.51.100.7' }, '198.51.100.7'],
    [
      'is behind two of them',
      '192.0.2.80',
      { 'x-forwarded-for': '198.51.100.7, 192.0.2.80' },
      '198.51.100.7',
    ],
    ['is not told by it', '192.0.2.80', {}, null],
    ['is hidden by it', '192.0.2.80', { forwarded: 'for=unknown' }, null],
    ['is behind it, on its own host', '192.0.2.80', { 'x-forwarded-for': '127.0.0.1' }, null],
    [
      'writes into the header that the proxy passes on',
      '192.0.2.80',
      { 'x-forwarded-for': '198.51.100.20', forwarded: 'for=198.51.100.7' },
      null,
    ],
  ])('who %s', async (_, from, headers, source) => {
    const view = await whoAmI(await serve(TCP, extras), from, headers);
    expect(view.source).toBe(source);
    expect(view.unknownBecause === null).toBe(source !== null);
    expect(view.notAllowed === null).toBe(source !== null);
  });

  test('over the socket it is not known, whatever is claimed', async () => {
    const view = await whoAmI(await serve(SOCKET, extras), '198.51.100.20', {
      'x-forwarded-for': '198.51.100.7',
    });
    expect(view).toMatchObject({ source: null, services: [{ directedTo: null }, { directedTo: null }] });
  });
});

describe('enrolling oneself', () => {
  const enrol = (app: App, from: string, payload: object = {}, headers: Headers = {}) =>
    ask(app, '/v1/whoami/testing/mail', { method: 'PUT', from, payload, headers });
  const leave = (app: App, from: string) => ask(app, '/v1/whoami/testing/mail', { method: 'DELETE', from });

  test('needs no token, is for the caller alone, and the journal has its address', async () => {
    const app = await serve(TCP, { qa: QA });
    expect(await enrol(app, '198.51.100.20', { expiresIn: '2h' })).toMatchObject({ status: 200 });
    const [verb, name, source, lease, actor] = director.calls[0] as [string, string, string, object, object];
    expect([verb, name, source]).toEqual(['enrol', 'mail', '198.51.100.20']);
    expect(lease).toMatchObject({ expiresIn: 7_200_000 });
    expect(actor).toMatchObject({ by: 'qa 198.51.100.20' });
  });

  test('is off where the configuration does not allow it, and for who comes from elsewhere', async () => {
    expect((await enrol(await serve(TCP), '198.51.100.20')).status).toBe(403);
    await close();
    expect((await enrol(await serve(TCP, { qa: QA }), '203.0.113.9')).status).toBe(403);
    expect(director.calls).toEqual([]);
  });

  test('is refused where it is not certain who it is', async () => {
    const app = await serve(TCP, { qa: QA });
    expect((await enrol(app, '127.0.0.1')).status).toBe(403);
    expect((await enrol(app, '198.51.100.20', {}, { 'x-forwarded-for': '198.51.100.7' })).status).toBe(403);
    await close();
    expect((await enrol(await serve(SOCKET, { qa: QA }), '198.51.100.20')).status).toBe(403);
    expect(director.calls).toEqual([]);
  });

  test('is for no longer than is allowed', async () => {
    const app = await serve(TCP, { qa: QA });
    expect((await enrol(app, '198.51.100.20', { expiresIn: '9h' })).status).toBe(422);
    expect(director.calls).toEqual([]);
  });

  test('does not shorten what an operator has given', async () => {
    const app = await serve(TCP, { qa: QA });
    const forGood = { expiresIn: null, note: null };
    await director.enrol('mail', network('198.51.100.20'), forGood, { by: 'alice' });
    expect((await enrol(app, '198.51.100.20', { expiresIn: '1h' })).status).toBe(200);
    expect(director.calls).toHaveLength(1);
  });

  test("ends one's own lease and nobody else's", async () => {
    const app = await serve(TCP, { qa: QA });
    await enrol(app, '198.51.100.20');
    expect((await leave(app, '198.51.100.21')).status).toBe(404);
    expect((await leave(app, '198.51.100.7')).status).toBe(404);
    expect((await leave(app, '198.51.100.20')).status).toBe(200);
    expect(director.calls.map(([verb]) => verb)).toEqual(['enrol', 'unenrol']);
  });

  test('cannot be done ever so often by one host, whatever address of its network it takes', async () => {
    const app = await serve(TCP, { qa: QA });
    const statuses: number[] = [];
    // A minute may end meanwhile: of 25 in a row more than 4 are refused in any case.
    for (let n = 1; n <= 25; n++) statuses.push((await enrol(app, `2001:db8:100::${n}`)).status);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(4);
    expect((await enrol(app, '198.51.100.20')).status).toBe(200);
  });

  test('gives no other right', async () => {
    const app = await serve(TCP, { qa: QA });
    const others: [Ask['method'], string, object][] = [
      ['PUT', '/v1/services/mail/testers/198.51.100.20', {}],
      ['POST', '/v1/switches', { services: ['mail'], to: 'secondary' }],
      ['POST', '/v1/services/mail/hold', { for: '1s' }],
    ];
    for (const [method, url, payload] of others)
      expect(
        (await ask(app, url, { ...(method === undefined ? {} : { method }), payload })).status,
        url,
      ).toBe(401);
    expect(director.calls).toEqual([]);
  });
});

describe('other pages', () => {
  const rollback = (app: App, headers: Headers) =>
    ask(app, '/v1/switches/s1/rollback', { method: 'POST', headers: { host: 'localhost', ...headers } });

  test.each<[string, Headers]>([
    ['cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['of the same site', { 'sec-fetch-site': 'same-site' }],
    ['of an old browser', { origin: 'https://evil.example' }],
    ['without an origin of its own', { origin: 'null' }],
  ])('cannot change anything through a relay to the socket: %s', async (_, headers) => {
    expect((await rollback(await serve(SOCKET), headers)).status).toBe(403);
    expect(director.calls).toEqual([]);
  });

  test("the director's own page can, and so can who is no browser", async () => {
    const app = await serve(SOCKET);
    for (const headers of [
      {},
      { 'sec-fetch-site': 'same-origin' },
      { origin: 'http://localhost' },
    ] as Headers[])
      expect((await rollback(app, headers)).status).toBe(404);
  });

  test('a name that somebody pointed at us is refused to a browser, over the socket too', async () => {
    const app = await serve(SOCKET);
    const browser = { 'accept-language': 'en' };
    expect((await ask(app, '/v1/services', { headers: { host: 'evil.example', ...browser } })).status).toBe(
      421,
    );
    expect((await ask(app, '/v1/services', { headers: { host: '127.0.0.1:8440', ...browser } })).status).toBe(
      200,
    );
    expect((await ask(app, '/v1/services', { headers: { host: 'director' } })).status).toBe(200);
  });
});

test('a session says whose token it is, and whether one is needed', async () => {
  const app = await serve(TCP);
  const asked = async (headers: Headers) => {
    const { status, text } = await ask(app, '/v1/session', { headers });
    return [status, JSON.parse(text)] as [number, object];
  };
  expect(await asked({})).toMatchObject([200, { by: null, needsToken: true, version: '1.2.3' }]);
  expect(await asked({ authorization: 'Bearer secret' })).toMatchObject([
    200,
    { by: 'alice', needsToken: true },
  ]);
  expect(await asked({ authorization: 'Bearer other' })).toMatchObject([401, {}]);
  await close();
  const local = await ask(await serve(SOCKET), '/v1/session');
  expect(JSON.parse(local.text)).toMatchObject({ by: 'socket', needsToken: false });
});

test('a preview is a look: it needs no token, takes the words of a switch, and changes nothing', async () => {
  const app = await serve(TCP);
  const { status, text } = await ask(app, '/v1/switches/preview?services=mail,ldap&connections=cut');
  expect(status).toBe(200);
  expect(JSON.parse(text)).toMatchObject({
    connections: 'cut',
    confirmWithin: 600_000,
    services: [
      { service: 'mail', from: 'mail-a', target: 'mail-b', flows: { stay: 0, cut: 12, udp: 2, target: 3 } },
      { service: 'ldap' },
    ],
  });
  expect((await ask(app, '/v1/switches/preview?services=none')).status).toBe(404);
  expect((await ask(app, '/v1/switches/preview?services=UPPER')).status).toBe(400);
  expect(director.calls).toEqual([]);
});

describe('the page', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'director-page-'));
    mkdirSync(join(directory, 'assets'));
    writeFileSync(join(directory, 'index.html'), '<!doctype html><title>page</title>');
    writeFileSync(join(directory, 'assets/page-Ab1.js'), `export const text = '${'x'.repeat(5000)}';`);
    writeFileSync(join(directory, 'secret.txt'), 'not of a kind that a page has');
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const servePage = async (access: Access): Promise<App> => {
    const page = await readPage(`${directory}/`);
    return serve(access, page === null ? {} : { page });
  };

  test.each(['/', '/services/mail', '/journal', '/test'])(
    'is at %s, under its policy, and asked for anew',
    async (path) => {
      const { status, headers, text } = await ask(await servePage(TCP), path);
      expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      expect(text).toContain('<title>page</title>');
      expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['cache-control']).toBe('no-cache');
      expect(
        (await ask(await servePage(TCP), path, { headers: { 'if-none-match': String(headers.etag) } }))
          .status,
      ).toBe(304);
    },
  );

  test('has files that are named by their content, compressed as one can read them', async () => {
    const app = await servePage(TCP);
    const get = (encoding: string) =>
      ask(app, '/assets/page-Ab1.js', { headers: { 'accept-encoding': encoding } });
    const br = await get('gzip, deflate, br');
    expect(br.headers).toMatchObject({
      'content-encoding': 'br',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect(br.raw.length).toBeLessThan(200);
    expect(brotliDecompressSync(br.raw).toString()).toContain('xxx');
    expect((await get('gzip;q=1, br;q=0')).headers['content-encoding']).toBe('gzip');
    expect((await get('identity')).headers['content-encoding']).toBeUndefined();
  });

  test.each(['/secret.txt', '/assets/../../secret.txt', '/assets/%2e%2e/secret.txt', '/assets/other.js'])(
    'has nothing else: %s',
    async (path) => {
      const { status, text } = await ask(await servePage(TCP), path);
      expect(status).toBe(404);
      expect(text).not.toContain('of a kind');
    },
  );

  test('is not there where it was not built, and the API is all the same', async () => {
    expect(await readPage(join(directory, 'nowhere'))).toBeNull();
    const app = await serve(TCP);
    expect((await ask(app, '/')).status).toBe(404);
    expect((await ask(app, '/v1/services')).status).toBe(200);
  });
});

import { userInfo } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Seen } from './support/cli.ts';
import { FakeDaemon, cli, entries, picture, service, trial } from './support/cli.ts';

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await new FakeDaemon().start();
});
afterEach(() => daemon.destroy());

const run = (line: string, more: Parameters<typeof cli>[1] = {}) =>
  cli(line.split(' '), { socket: daemon.socket, ...more });
const changes = (): Pick<Seen, 'method' | 'path' | 'body'>[] =>
  daemon.seen
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path, body }) => ({ method, path, body }));

describe('each command makes the call of the contract', () => {
  it('switch sends every option that was given, and none that was not', async () => {
    daemon.answer('POST', 201, trial).answer('GET', 200, service('mail'));
    await run('switch mail --to secondary');
    await run(
      'switch mail ldap mail --to secondary --connections cut --drain-for 5m --confirm-within never --force --reason why',
    );
    expect(changes()).toEqual([
      { method: 'POST', path: '/v1/switches', body: { services: ['mail'], to: 'secondary' } },
      {
        method: 'POST',
        path: '/v1/switches',
        body: {
          services: ['mail', 'ldap'],
          to: 'secondary',
          connections: 'cut',
          drainFor: '5m',
          confirmWithin: 'never',
          force: true,
          reason: 'why',
        },
      },
    ]);
  });

  it.each(['confirm', 'rollback'])('%s ends the switch that the service is part of', async (verb) => {
    daemon.answer('GET', 200, picture[0]).answer('POST', 200, { ...trial, state: 'confirmed' });
    expect((await run(`${verb} mail --reason good`)).code).toBe(0);
    expect(changes()).toEqual([
      { method: 'POST', path: `/v1/switches/sw-7/${verb}`, body: { reason: 'good' } },
    ]);
  });

  it('confirm without a service means the only trial', async () => {
    daemon.answer('GET', 200, picture).answer('POST', 200, { ...trial, state: 'confirmed' });
    expect((await run('confirm')).code).toBe(0);
    expect(changes()[0]?.path).toBe('/v1/switches/sw-7/confirm');
  });

  it.each([
    ['hold mail --for 5s --reason dump', 'POST', '/v1/services/mail/hold', { for: '5s', reason: 'dump' }],
    ['release mail', 'DELETE', '/v1/services/mail/hold', undefined],
    ['testing mail open', 'PUT', '/v1/services/mail/testing', { state: 'open' }],
    ['testing mail close --reason x', 'PUT', '/v1/services/mail/testing', { state: 'closed', reason: 'x' }],
    [
      'testers mail add 203.0.113.0/24 --for 8h --note QA',
      'PUT',
      '/v1/services/mail/testers/203.0.113.0%2F24',
      { expiresIn: '8h', note: 'QA' },
    ],
    ['testers mail add 2001:db8::7', 'PUT', '/v1/services/mail/testers/2001%3Adb8%3A%3A7', {}],
    ['testers mail remove 198.51.100.7', 'DELETE', '/v1/services/mail/testers/198.51.100.7', undefined],
    ['reload', 'POST', '/v1/reload', {}],
    ['teardown --yes', 'POST', '/v1/teardown', {}],
  ])('%s', async (line, method, path, body) => {
    const tester = picture[0]?.testers[0];
    daemon.answer('GET', 200, {}).answer('POST', 200, service('mail')).answer('DELETE', 204);
    daemon.answer('PUT', 200, path.includes('testers') ? tester : service('mail'));
    expect(await run(line)).toMatchObject({ code: 0, err: '' });
    expect(changes()).toEqual([{ method, path, body }]);
  });

  it.each([
    ['status', '/v1/services', picture],
    ['status mail --json', '/v1/services/mail', picture[0]],
    ['journal', '/v1/journal?limit=20', entries],
    ['journal -n 5 --service mail', '/v1/journal?limit=5&service=mail', entries],
    ['testers mail', '/v1/services/mail/testers', picture[0]?.testers],
    ['whoami', '/v1/whoami', { source: null, services: [] }],
    ['whoami --source 2001:db8::7', '/v1/whoami?source=2001%3Adb8%3A%3A7', { source: null, services: [] }],
    ['plan', '/v1/plan', { changes: [], services: [], restore: { ipv4: '', ipv6: '' } }],
  ])('%s', async (line, path, body) => {
    daemon.answer(`GET ${path}`, 200, body);
    expect(await run(line)).toMatchObject({ code: 0, err: '' });
    expect(daemon.calls()).toEqual([`GET ${path}`]);
  });
});

describe('what goes with a request', () => {
  it('says who asks over the socket', async () => {
    daemon.answer('GET', 200, []);
    await run('status');
    expect(daemon.seen[0]?.headers['x-director-user']).toBe(userInfo().username);
  });

  it('names the caller of sudo, and nobody whose name could forge a header', async () => {
    daemon.answer('GET', 200, []);
    await run('status', { env: { SUDO_USER: 'alice' } });
    await run('status', { env: { SUDO_USER: 'x y: z' } });
    expect(daemon.seen.map(({ headers }) => headers['x-director-user'])).toEqual(['alice', undefined]);
  });

  it('gives every POST a key of its own', async () => {
    daemon.answer('POST', 200, {});
    await run('reload');
    await run('reload');
    const keys = daemon.seen.map(({ headers }) => headers['idempotency-key']);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(keys).size).toBe(2);
  });

  it('tries a POST whose connection broke once more, with the same key', async () => {
    let first = true;
    daemon.on('POST', (_seen, response) => {
      if (first) response.destroy();
      else response.end('{}');
      first = false;
    });
    expect((await run('reload')).code).toBe(0);
    const keys = daemon.seen.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
  });

  it('gives up after the second break, and says that the outcome is not known', async () => {
    daemon.on('POST', (_seen, response) => response.destroy());
    const { code, err } = await run('reload');
    expect(code).toBe(1);
    expect(err).toContain('Whether it was done is not known.');
    expect(daemon.seen).toHaveLength(2);
  });

  it('does not repeat a DELETE, which would find nothing left', async () => {
    daemon.on('DELETE', (_seen, response) => response.destroy());
    expect((await run('release mail')).code).toBe(1);
    expect(daemon.seen).toHaveLength(1);
  });
});

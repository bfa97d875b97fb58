import { unreached } from '../../src/cli/unreached.ts';
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDaemon, cli, picture, problem, service, trial } from './support/cli.ts';

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await new FakeDaemon().start();
});
afterEach(() => daemon.destroy());

const run = (line: string, more: Parameters<typeof cli>[1] = {}) =>
  cli(line.split(' ').filter(Boolean), { socket: daemon.socket, ...more });

describe('1: the daemon refused or failed', () => {
  it('prints its message, each fault and the hint on standard error', async () => {
    daemon.answer('POST', 409, problem);
    expect(await run('hold mail --for 5s')).toEqual({
      code: 1,
      out: '',
      err: 'director: mail is on trial already, by alice.\n  - /services/0: mail is part of switch sw-7\n  Confirm it or roll it back first.\n',
    });
  });

  it('tells how to give a token where one is missing', async () => {
    daemon.answer('POST', 401, { title: 'Unauthorized', status: 401 });
    expect((await run('reload')).err).toContain('$DIRECTOR_TOKEN');
  });

  it('lists the trials where it is not clear which one is meant, and ends none', async () => {
    const other = { ...trial, id: 'sw-8', services: ['ldap', 'web'], confirmBy: null };
    const ldap = service('ldap', { phase: 'trial', live: 'secondary', switch: other });
    daemon.answer('GET', 200, [picture[0], ldap, { ...ldap, name: 'web' }]);
    const { code, err } = await run('rollback');
    expect(code).toBe(1);
    expect(err).toContain('2 trials are on.');
    expect(err).toContain('- mail: to the secondary by alice');
    expect(err).toContain('- ldap and web: to the secondary by alice');
    expect(daemon.seen.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it.each(['confirm', 'confirm mail'])('%s says so where nothing is on trial', async (line) => {
    daemon
      .answer('GET /v1/services', 200, [service('mail')])
      .answer('GET /v1/services/mail', 200, service('mail'));
    const { code, err } = await run(line);
    expect(code).toBe(1);
    expect(err).toMatch(/not on trial|No service is on trial/);
  });

  it('tells who wants back from a settled service how to get there', async () => {
    daemon.answer('GET /v1/services/mail', 200, service('mail'));
    const { code, err } = await run('rollback mail');
    expect(code).toBe(1);
    expect(err).toMatch(/everybody to mail-b.*"director switch mail --to secondary"/);
  });

  it.each([
    ['is not JSON', '<html>', 'is not JSON'],
    ['is empty', '', 'not what this version'],
    ['is something else', '{"hello": 1}', 'not what this version'],
    ['lacks a key', JSON.stringify([{ ...picture[0], live: 'third' }]), '0.live'],
  ])('says so where the answer %s', async (_name, body, said) => {
    daemon.answer('GET', 200, body);
    const { code, out, err } = await run('status');
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(said);
  });

  it('says so where a failure is no problem document', async () => {
    daemon.answer('GET', 502, '<html>Bad Gateway</html>');
    const { code, err } = await run('status');
    expect(code).toBe(1);
    expect(err).toContain('status 502: "<html>Bad Gateway</html>"');
  });

  it('says so where the answer breaks off in the middle', async () => {
    daemon.on('GET', (_seen, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('[');
      setImmediate(() => response.destroy());
    });
    const { code, err } = await run('status');
    expect(code).toBe(1);
    expect(err).toContain('The connection ended before GET /v1/services was answered');
  });
});

describe('2: bad usage, without a call', () => {
  it.each([
    '',
    'frobnicate',
    'status Mail',
    'status mail ldap',
    'status --frobnicate',
    'switch --to secondary',
    'switch mail',
    'switch mail --to third',
    'switch mail --to secondary --drain-for 5',
    'switch mail --to secondary --confirm-within forever',
    'switch mail --to secondary --connections keep',
    'hold mail',
    'hold mail --for never',
    'testers mail add',
    'testers mail add host.example',
    'testers mail add 10.0.0.0/33',
    'testers mail frobnicate 10.0.0.1',
    'testers mail remove 10.0.0.1 --for 8h',
    'testers mail --note x',
    'testing mail ajar',
    'whoami --source 10.0.0.0/8',
    'journal -n 0',
    'journal -n 1001',
    'check',
    'serve',
    'completion csh',
    'teardown',
    '--socket /x --url http://127.0.0.1 status',
    '--url ftp://127.0.0.1 status',
  ])('director %s', async (line) => {
    const { code, out, err } = await run(line);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).not.toBe('');
    expect(daemon.seen).toEqual([]);
  });

  it('is a problem document too with --json', async () => {
    const { code, err } = await run('hold mail --for 5 --json');
    expect(code).toBe(2);
    expect(JSON.parse(err)).toMatchObject({ title: 'Bad usage' });
  });
});

describe('3: no daemon reached', () => {
  it('says which socket, and how to look, where there is none', async () => {
    const { code, out, err } = await run('status', { socket: '/nowhere/director.sock' });
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain('/nowhere/director.sock');
    expect(err).toContain('systemctl status dom0-director');
  });

  it('says so where nobody listens any more', async () => {
    const stale = `${daemon.socket}.stale`;
    writeFileSync(stale, '');
    const { code, err } = await run(`--socket ${stale} status`);
    expect(code).toBe(3);
    expect(err).toContain(`${stale}: nobody listens there`);
  });

  it('says how to be let in where the socket is not ours to use', () => {
    // What root may do cannot be denied to these tests: what is made of the kernel's answer is looked at alone.
    const denied = Object.assign(new Error('connect EACCES'), { code: 'EACCES' });
    const failure = unreached({ kind: 'socket', path: '/run/director.sock' }, denied);
    expect(failure.exit).toBe(3);
    expect(failure.problem.hint).toContain("socket's group: ls -l /run/director.sock");
  });

  it('is a problem document with --json', async () => {
    const { code, err } = await run('status --json', { socket: '/nowhere/director.sock' });
    expect(code).toBe(3);
    expect(JSON.parse(err)).toMatchObject({ title: 'No daemon reached', errors: [] });
  });
});

describe('--url', () => {
  it('goes over TCP with the token, and says no user of this machine', async () => {
    const { createServer: createHttp } = await import('node:http');
    const seen: unknown[] = [];
    const server = createHttp((request, response) => {
      seen.push([request.url, request.headers.authorization, request.headers['x-director-user']]);
      response.end('[]');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      const url = `http://127.0.0.1:${port}`;
      expect((await run(`--url ${url} --token s3cret status`)).code).toBe(0);
      expect((await run(`--url ${url}/dom0/ status`, { env: { DIRECTOR_TOKEN: 'fromenv' } })).code).toBe(0);
      expect(seen).toEqual([
        ['/v1/services', 'Bearer s3cret', undefined],
        ['/dom0/v1/services', 'Bearer fromenv', undefined],
      ]);
    } finally {
      server.close();
    }
  });

  it('is 3 where nobody listens', async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const { port } = free.address() as { port: number };
    await new Promise((resolve) => free.close(resolve));
    expect((await run(`--url http://127.0.0.1:${port} status`)).code).toBe(3);
  });
});

describe('teardown', () => {
  const terminal = (typed: string) => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    stdin.end(typed);
    return { columns: 80, io: { stdin } };
  };

  it('goes on when a human types yes', async () => {
    daemon.answer('POST', 200, {});
    expect((await run('teardown', terminal('yes\n'))).code).toBe(0);
    expect(daemon.calls()).toEqual(['POST /v1/teardown']);
  });

  it.each(['no\n', 'y\n', '\n', ''])('changes nothing when a human types %j', async (typed) => {
    const { code, err } = await run('teardown', terminal(typed));
    expect(code).toBe(1);
    expect(err).toContain('nothing was changed');
    expect(daemon.seen).toEqual([]);
  });
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync, existsSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import pino from 'pino';
import { startServer } from '../../src/api/server.ts';
import type { Logger, RunningServer, ServerOptions } from '../../src/api/server.ts';
import { memoryLog, hostLoad } from './support/api-double.ts';
import { DirectorDouble } from './support/director-double.ts';

let dir: string;
let director: DirectorDouble;
const running: RunningServer[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'd0d-api-'));
  director = new DirectorDouble('mail');
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
  rmSync(dir, { recursive: true });
});

const socketPath = () => join(dir, 'run', 'director.sock');
async function start(listen: Partial<ServerOptions['listen']> = {}): Promise<RunningServer> {
  const server = await startServer({
    director,
    listen: { socket: socketPath(), http: null, tls: null, ...listen },
    tokens: () => [],
    load: hostLoad,
    metrics: () => Promise.resolve({ contentType: 'text/plain', parts: [] }),
    meter: () => null,
    log: memoryLog(),
    version: '1.2.3',
  });
  running.push(server);
  return server;
}
const LOOPBACK = { host: '127.0.0.1', port: 0 };

function get(options: http.RequestOptions): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    http
      .get({ agent: false, ...options }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      })
      .on('error', reject);
  });
}

/** Sends bytes as they are, and answers what comes back until the end. */
function raw(port: number, ...chunks: string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      for (const chunk of chunks) socket.write(chunk);
    });
    let text = '';
    socket.on('data', (data) => (text += data.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

test('pino is a logger for it', () => {
  const log: Logger = pino({ enabled: false });
  expect(log).toBeDefined();
});

test('the socket is made with its directory, is 0660 whatever the umask, and is removed at close', async () => {
  const before = process.umask(0);
  try {
    const server = await start();
    expect(process.umask(0)).toBe(0);
    expect(statSync(socketPath()).mode & 0o7777).toBe(0o660);
    expect((await get({ socketPath: socketPath(), path: '/healthz' })).status).toBe(200);
    expect(server.address).toBeNull();
    await server.close();
    expect(existsSync(socketPath())).toBe(false);
  } finally {
    process.umask(before);
  }
});

test('a socket that somebody answers on is left alone', async () => {
  await start();
  await expect(start()).rejects.toThrow('another daemon answers');
  expect((await get({ socketPath: socketPath(), path: '/healthz' })).status).toBe(200);
});

test('a socket that a killed daemon left behind is taken over', async () => {
  const script = `require('node:net').createServer().listen(${JSON.stringify(join(dir, 'stale'))}, () => process.kill(process.pid, 'SIGKILL'))`;
  expect(() => execFileSync(process.execPath, ['-e', script], { stdio: 'ignore' })).toThrow();
  expect(existsSync(join(dir, 'stale'))).toBe(true);
  await start({ socket: join(dir, 'stale') });
  expect((await get({ socketPath: join(dir, 'stale'), path: '/healthz' })).status).toBe(200);
});

test('a file that is no socket is left alone', async () => {
  writeFileSync(join(dir, 'file'), 'mine');
  await expect(start({ socket: join(dir, 'file') })).rejects.toThrow('not a socket');
  expect(statSync(join(dir, 'file')).size).toBe(4);
});

test('TCP beyond loopback without TLS is refused, and then the socket is not left open either', async () => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'dom0.example.org']) {
    await expect(start({ http: { host, port: 0 } })).rejects.toThrow('needs TLS');
  }
  expect(existsSync(socketPath())).toBe(false);
});

test('a TCP port that is taken is an error that names it', async () => {
  const { address } = await start({ http: LOOPBACK });
  const again = start({ socket: join(dir, 'second'), http: { host: '127.0.0.1', port: address!.port } });
  await expect(again).rejects.toThrow(`cannot listen on 127.0.0.1:${address!.port}`);
  expect(existsSync(join(dir, 'second'))).toBe(false);
});

test('with TLS it is reached by the names in its certificate, and by no other', async () => {
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const subject = ['-subj', '/CN=dom0', '-addext', 'subjectAltName=DNS:dom0.example.org'];
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
  ];
  execFileSync('openssl', [...made, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const { address } = await start({ http: { host: '0.0.0.0', port: 0 }, tls: { cert, key } });
  const ask = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const options = { port: address!.port, path: '/readyz', headers: { host }, rejectUnauthorized: false };
      https
        .get({ host: '127.0.0.1', agent: false, ...options }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode));
        })
        .on('error', reject);
    });
  expect(await ask('dom0.example.org')).toBe(200);
  expect(await ask('evil.example')).toBe(421);
});

test('a certificate that is missing or is none stops the start, with its file', async () => {
  writeFileSync(join(dir, 'bad.pem'), 'no certificate');
  const bad = join(dir, 'bad.pem');
  const missing = { cert: join(dir, 'none.pem'), key: bad };
  await expect(start({ http: LOOPBACK, tls: missing })).rejects.toThrow('none.pem');
  await expect(start({ http: LOOPBACK, tls: { cert: bad, key: bad } })).rejects.toThrow('listen.tls');
  expect(existsSync(socketPath())).toBe(false);
});

test('garbage, floods and half requests are answered or dropped, and the next request is served', async () => {
  const { port } = (await start({ http: LOOPBACK })).address!;
  expect(await raw(port, '\x16\x03\x01\x02\x00\x01\x00\xff\r\n\r\n')).toContain('400 Bad Request');
  expect(await raw(port, 'SSH-2.0-OpenSSH_9.9\r\n')).toContain('application/problem+json');
  const long = 'x'.repeat(20_000);
  expect(await raw(port, `GET /${long} HTTP/1.1\r\n`, 'Host: localhost\r\n\r\n')).toContain(' 431 ');
  expect(await raw(port, 'GET / HTTP/1.1\r\n', `Host: localhost\r\nx: ${long}\r\n\r\n`)).toContain(' 431 ');
  const many = Array.from({ length: 1500 }, (_, i) => `h${i}: v\r\n`).join('');
  expect(
    await raw(port, `GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${many}\r\n`),
  ).toMatch(/ (200|431) /);
  expect(await raw(port, 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n')).toContain('exactly one Host');
  expect(await raw(port, 'GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n')).toContain(' 421 ');
  expect(await raw(port, 'GET /healthz HTTP/1.0\r\n\r\n')).toContain(' 200 ');
  expect(await raw(port, 'CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n')).not.toContain(' 200 ');
  expect((await get({ port, path: '/healthz' })).status).toBe(200);
});

test('an upload that is broken off leaves nothing behind', async () => {
  const server = await start({ http: LOOPBACK });
  const head =
    'POST /v1/switches HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999';
  await Promise.all(
    Array.from({ length: 50 }, () => {
      const socket = net.connect({ path: socketPath() });
      socket.on('error', () => undefined);
      return new Promise<void>((resolve) => {
        socket.write(`${head}\r\n\r\n{"services": [`, () => {
          socket.destroy();
          resolve();
        });
      });
    }),
  );
  expect((await get({ socketPath: socketPath(), path: '/v1/services' })).status).toBe(200);
  await server.close();
  expect(director.calls).toEqual([]);
});

test('a client that goes away during its switch finds the answer under its key', async () => {
  await start();
  let open: () => void = () => undefined;
  director.gate = new Promise((resolve) => (open = resolve));
  const options = {
    method: 'POST',
    socketPath: socketPath(),
    path: '/v1/switches',
    agent: false,
    headers: { 'content-type': 'application/json', 'idempotency-key': 'k' },
  };
  const body = JSON.stringify({ services: ['mail'], to: 'secondary' });
  const first = http.request(options).on('error', () => undefined);
  first.end(body);
  while (director.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  first.destroy();
  const again = new Promise<http.IncomingMessage>((resolve) => http.request(options, resolve).end(body));
  open();
  const response = await again;
  response.resume();
  expect([response.statusCode, response.headers['idempotency-replayed']]).toEqual([201, 'true']);
  expect(director.calls).toHaveLength(1);
});

test('close lets a request that is under way end, and idle connections do not hold it up', async () => {
  const server = await start({ http: LOOPBACK });
  const { port } = server.address!;
  const agent = new http.Agent({ keepAlive: true });
  await get({ port, path: '/healthz', agent });
  let open: () => void = () => undefined;
  director.gate = new Promise((resolve) => (open = resolve));
  const answer = new Promise<number | undefined>((resolve, reject) => {
    const options = { method: 'DELETE', socketPath: socketPath(), path: '/v1/services/mail', agent: false };
    http
      .request(options, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
      .on('error', reject)
      .end();
  });
  while (director.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const closed = server.close();
  open();
  expect(await answer).toBe(204);
  await closed;
  await expect(get({ port, path: '/healthz' })).rejects.toThrow('ECONNREFUSED');
  agent.destroy();
});

test('a closed server leaves no handle open, whoever was listening to its events', async () => {
  const handles = () => process.getActiveResourcesInfo().filter((name) => /Server|TCPSocket|Pipe/.test(name));
  const before = handles().length;
  const server = await start({ http: LOOPBACK });
  const { port } = server.address!;
  const stream = raw(port, 'GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  while (handles().length < before + 3) await new Promise((resolve) => setImmediate(resolve));
  await server.close();
  await stream;
  await vi.waitFor(() => expect(handles().length).toBeLessThanOrEqual(before));
});

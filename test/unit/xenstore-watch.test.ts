import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { XenstoreWatch } from '../../src/xen/xenstore-watch.ts';
import { HandClock } from '../contract/hand-clock.ts';

const PATHS = ['@releaseDomain', '/local/domain/0/backend/vif'];
const [WATCH, EVENT, ERROR] = [4, 15, 16];

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

function message(type: number, text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(16);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(body.length, 12);
  return Buffer.concat([head, body]);
}

/** A xenstored that notes what it is asked, byte by byte, and answers as `answer` says. */
async function xenstored(answer: (socket: Socket, asked: number) => void) {
  const directory = mkdtempSync(join(tmpdir(), 'xenstored-'));
  const path = join(directory, 'socket');
  const asked: Buffer[] = [];
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    let rest = Buffer.alloc(0);
    socket
      .on('error', () => undefined)
      .on('data', (bytes: Buffer) => {
        rest = Buffer.concat([rest, bytes]);
        while (rest.length >= 16 && rest.length >= 16 + rest.readUInt32LE(12)) {
          const end = 16 + rest.readUInt32LE(12);
          asked.push(rest.subarray(0, end));
          rest = rest.subarray(end);
          answer(socket, asked.length);
        }
      });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  releases.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  });
  return { path, asked, sockets };
}

function watching(socket: string) {
  const clock = new HandClock();
  const onEvent = vi.fn();
  const watch = new XenstoreWatch({ socket, paths: PATHS, clock, onEvent });
  releases.push(() => watch.close());
  watch.open();
  return { watch, clock, onEvent };
}

test('each path is watched, and every event is told, however its bytes come', async () => {
  const server = await xenstored((socket) => socket.write(message(WATCH, 'OK\0')));
  const { watch, onEvent } = watching(server.path);
  await vi.waitFor(() => expect(watch.isOpen).toBe(true));
  expect(server.asked).toEqual(PATHS.map((path) => message(WATCH, `${path}\0dom0-director\0`)));
  expect(onEvent).not.toHaveBeenCalled();
  const events = Buffer.concat(PATHS.map((path) => message(EVENT, `${path}\0dom0-director\0`)));
  for (const byte of events) server.sockets[0]!.write(Buffer.from([byte]));
  await vi.waitFor(() => expect(onEvent).toHaveBeenCalledTimes(2));
});

test('it does not count as watching before every path is', async () => {
  const server = await xenstored((socket, asked) => {
    if (asked === 1) socket.write(message(WATCH, 'OK\0'));
    else socket.write(message(EVENT, 'x\0y\0'));
  });
  const { watch, onEvent } = watching(server.path);
  await vi.waitFor(() => expect(onEvent).toHaveBeenCalled());
  expect(watch.isOpen).toBe(false);
});

test('one that ends, or refuses, is tried again after a while and no sooner', async () => {
  const server = await xenstored((socket, asked) =>
    socket.write(asked === 1 ? message(ERROR, 'EACCES\0') : message(WATCH, 'OK\0')),
  );
  const { watch, clock } = watching(server.path);
  await vi.waitFor(() => expect(server.sockets[0]?.destroyed).toBe(true));
  watch.open();
  expect(watch.isOpen).toBe(false);
  clock.advance(5000);
  await vi.waitFor(() => {
    watch.open();
    expect(watch.isOpen).toBe(true);
  });
  expect(server.sockets).toHaveLength(2);
  server.sockets[1]!.destroy();
  await vi.waitFor(() => expect(watch.isOpen).toBe(false));
});

test('where there is no xenstored nobody is told anything', async () => {
  const { watch, onEvent } = watching('/nonexistent/xenstored/socket');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([watch.isOpen, onEvent.mock.calls.length]).toEqual([false, 0]);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { readVifs } from '../../src/xen/read-vifs.ts';
import { Xenstore } from '../../src/xen/xenstore.ts';
import { HandClock } from '../contract/hand-clock.ts';
import { XS, fakeXenstored, message } from './support/xenstored.ts';
import type { FakeXenstored } from './support/xenstored.ts';

const PATHS = ['@releaseDomain', '/local/domain/0/backend/vif'];

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

async function xenstored(
  answer?: Parameters<typeof fakeXenstored>[1],
): Promise<FakeXenstored & { path: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'xenstored-'));
  const path = join(directory, 'socket');
  const server = await fakeXenstored(path, answer);
  releases.push(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  return { ...server, path };
}

function client(socket: string) {
  const clock = new HandClock();
  const onEvent = vi.fn();
  const xenstore = new Xenstore({ socket, paths: PATHS, clock, onEvent });
  releases.push(() => xenstore.close());
  xenstore.open();
  return { xenstore, clock, onEvent };
}

async function connected(answer?: Parameters<typeof fakeXenstored>[1]) {
  const server = await xenstored(answer);
  const made = client(server.path);
  await vi.waitFor(() => expect(made.xenstore.isOpen).toBe(true));
  return { server, ...made };
}

test('each path is watched, and every event is told, however its bytes come', async () => {
  const { server, onEvent } = await connected();
  expect(server.asked.map(({ type, text }) => [type, text])).toEqual(
    PATHS.map((path) => [XS.watch, `${path}\0dom0-director\0`]),
  );
  expect(onEvent).not.toHaveBeenCalled();
  const events = Buffer.concat(PATHS.map((path) => message(XS.event, `${path}\0dom0-director\0`)));
  for (const byte of events) for (const socket of server.sockets) socket.write(Buffer.from([byte]));
  await vi.waitFor(() => expect(onEvent).toHaveBeenCalledTimes(2));
});

test('it does not count as open before every path is watched', async () => {
  let seen = 0;
  const server = await xenstored((socket) => {
    if (++seen === 1) return false;
    return socket.write(message(XS.event, 'x\0y\0'));
  });
  const { xenstore, onEvent } = client(server.path);
  await vi.waitFor(() => expect(onEvent).toHaveBeenCalled());
  expect(xenstore.isOpen).toBe(false);
});

test('one that ends, or refuses, is tried again after a while and no sooner', async () => {
  let refused = false;
  const server = await xenstored((socket, { request }) => {
    if (refused) return false;
    refused = true;
    return socket.write(message(XS.error, 'EACCES\0', request));
  });
  const { xenstore, clock } = client(server.path);
  await vi.waitFor(() => expect([refused, server.sockets.size]).toEqual([true, 0]));
  xenstore.open();
  expect(server.sockets.size).toBe(0);
  clock.advance(5000);
  await vi.waitFor(() => {
    xenstore.open();
    expect(xenstore.isOpen).toBe(true);
  });
  for (const socket of server.sockets) socket.destroy();
  await vi.waitFor(() => expect(xenstore.isOpen).toBe(false));
});

test('where there is no xenstored nobody is told anything, and who asks hears so', async () => {
  const { xenstore, onEvent } = client('/nonexistent/xenstored/socket');
  await expect(xenstore.read('/x')).rejects.toThrow(/xenstored/);
  expect([xenstore.isOpen, onEvent.mock.calls.length]).toEqual([false, 0]);
});

test('who waits for an answer that never comes hears of the end', async () => {
  const { server, xenstore } = await connected((_, { type }) => type === XS.read);
  const answer = xenstore.read('/x');
  await vi.waitFor(() => expect(server.asked.at(-1)?.type).toBe(XS.read));
  for (const socket of server.sockets) socket.destroy();
  await expect(answer).rejects.toThrow('xenstored has ended the connection');
});

test('an answer is taken for its own question, in whatever order answers come', async () => {
  const held: (() => void)[] = [];
  const { xenstore } = await connected((socket, { type, request, text }) => {
    if (type !== XS.read) return false;
    held.push(() => socket.write(message(type, `value of ${text.replace('\0', '')}`, request)));
    return true;
  });
  const answers = Promise.all(['/a', '/b', '/c'].map((path) => xenstore.read(path)));
  await vi.waitFor(() => expect(held).toHaveLength(3));
  for (const answer of held.toReversed()) answer();
  expect(await answers).toEqual(['value of /a', 'value of /b', 'value of /c']);
});

test('guests and their vifs are read as they stand, with those that are half made or half gone', async () => {
  const { server, xenstore } = await connected();
  const vif = '/local/domain/0/backend/vif';
  for (const [path, value] of [
    ['/local/domain/7/name', 'mail-a'],
    [`${vif}/7/0/mac`, '00:16:3E:00:00:0A'],
    [`${vif}/7/0/bridge`, 'br-mail'],
    [`${vif}/7/0/hotplug-status`, 'connected'],
    [`${vif}/7/1/vifname`, 'vif-backup'],
    [`${vif}/12/0/state`, '2'],
  ] as const)
    server.tree.set(path, value);
  expect(await readVifs(xenstore)).toEqual([
    {
      domid: 7,
      name: 'mail-a',
      vifs: [
        { device: 0, name: 'vif7.0', mac: '00:16:3e:00:00:0a', bridge: 'br-mail', connected: true },
        { device: 1, name: 'vif-backup', mac: '', bridge: null, connected: false },
      ],
    },
    {
      domid: 12,
      name: null,
      vifs: [{ device: 0, name: 'vif12.0', mac: '', bridge: null, connected: false }],
    },
  ]);
  server.tree.clear();
  expect(await readVifs(xenstore)).toEqual([]);
});

import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { greet } from '../../src/health/greet.ts';
import type { Greeting } from '../../src/health/greet.ts';
import { systemClock } from '../../src/lib/clock.ts';

let server: Server | null = null;
afterEach(() => void server?.close());

async function heard(speak: (socket: Socket) => void, port = 0): Promise<Greeting> {
  const made = createServer((socket) => {
    socket.on('error', () => undefined);
    speak(socket);
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(port, '127.0.0.1', resolve));
  return greet(systemClock, { host: '127.0.0.1', port: (made.address() as AddressInfo).port });
}

test('the first line of a greeting is heard, and nothing in it that a page or terminal would obey', async () => {
  const { text, error } = await heard((socket) =>
    socket.write('220 mail\u001b[31m \u0000<b>ESMTP</b>\u202e\r\n250 more\r\n'),
  );
  expect([text, error]).toEqual(['220 mail [31m  <b>ESMTP</b>', null]);
});

test('who floods is heard for a little', async () => {
  const { text } = await heard((socket) => {
    const flood = (): void => {
      if (!socket.destroyed) socket.write('x'.repeat(65_536), flood);
    };
    flood();
  });
  expect(text).toBe('x'.repeat(200));
});

test('who closes without a word, or says nothing, is told so', async () => {
  expect(await heard((socket) => socket.end())).toMatchObject({ text: null, error: 'it said nothing' });
  server?.close();
  expect((await heard(() => undefined)).error).toContain('nothing was said within');
});

test('HTTP is asked for its headers, and tells who serves', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nDate: now\r\nServer: webmail/2.0\r\nX-App-Version: 7\r\n\r\n';
  const { text } = await heard((socket) => socket.once('data', () => socket.write(answer)), 8081);
  expect(text).toBe('HTTP/1.1 200 OK · Server: webmail/2.0 · X-App-Version: 7');
});

test("a port that is mostly TLS's, and speaks in the clear, is heard all the same", async () => {
  const { text } = await heard((socket) => socket.write('* OK IMAP 2.0\r\n'), 993);
  expect(text).toBe('* OK IMAP 2.0');
});

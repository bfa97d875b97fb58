import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock } from '../lib/clock.ts';
import { describe } from './connect.ts';
import type { Endpoint } from './connect.ts';

/** What somebody says who is connected to, in one line; `error`: why nothing was heard. One of both is null. */
export interface Greeting {
  readonly endpoint: Endpoint;
  readonly text: string | null;
  readonly error: string | null;
}

const MOST_BYTES = 2048;
const MOST_CHARACTERS = 200;
/** Milliseconds. */
const PATIENCE = 1200;
const NO_TLS = 'it does not speak TLS';

/** Those who wait for the client to speak first: asked for their headers (RFC 9110). The others greet by themselves. */
const HTTP_PORTS: ReadonlySet<number> = new Set([80, 443, 3000, 5000, 8000, 8008, 8080, 8081, 8443, 8888]);
const TLS_PORTS: ReadonlySet<number> = new Set([443, 465, 636, 853, 990, 993, 995, 5223, 8443]);

/**
 * Listens for a moment to what is said first. Whose certificate it is does not matter: nothing is told there. Where a
 * port that is mostly TLS's speaks in the clear, it is listened to so.
 */
export async function greet(clock: Clock, endpoint: Endpoint): Promise<Greeting> {
  if (!TLS_PORTS.has(endpoint.port)) return listen(clock, endpoint, false);
  const greeting = await listen(clock, endpoint, true);
  return greeting.error === NO_TLS ? listen(clock, endpoint, false) : greeting;
}

function listen(clock: Clock, endpoint: Endpoint, tls: boolean): Promise<Greeting> {
  return new Promise((resolve) => {
    const { host, port } = endpoint;
    const socket: Socket = tls
      ? connectTls({ host, port, rejectUnauthorized: false })
      : connect({ host, port });
    socket.unref();
    let heard = '';
    const finish = (error: string | null): void => {
      cancel();
      socket.destroy();
      const text = said(heard);
      resolve({ endpoint, text, error: text === null ? (error ?? 'it said nothing') : null });
    };
    const cancel = clock.after(PATIENCE, () => finish(`nothing was said within ${PATIENCE} ms`));
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      if (HTTP_PORTS.has(port)) socket.write(`HEAD / HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
    });
    socket.on('data', (part: Buffer) => {
      heard += part.toString('latin1');
      if (heard.length >= MOST_BYTES || isWhole(heard)) finish(null);
    });
    socket.on('end', () => finish(null));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      finish(error.code?.startsWith('ERR_SSL') === true ? NO_TLS : describe(error)),
    );
  });
}

/** An HTTP answer ends its headers with an empty line; any other greeting is its first line. */
const isWhole = (heard: string): boolean =>
  heard.startsWith('HTTP/') ? /\r?\n\r?\n/.test(heard) : heard.includes('\n');

/** The first line, of HTTP also who serves and which version; without anything that a terminal or page would obey. */
function said(heard: string): string | null {
  const lines = heard.split(/\r?\n/);
  const headers = lines.filter((line) => /^(server|x-powered-by|[a-z-]*version):/i.test(line));
  const wanted = heard.startsWith('HTTP/') ? [lines[0], ...headers].join(' · ') : (lines[0] ?? '');
  const clean = wanted.replaceAll(/[^\x20-\x7e\u00b7]+/g, ' ').trim();
  return clean === '' ? null : clean.slice(0, MOST_CHARACTERS);
}

import { connect as connectSocket } from 'node:net';
import type { Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Null where the connection was accepted, else why not, in a few words. Never rejects. */
export type Connect = (
  endpoint: Endpoint,
  options: { readonly timeout: number; readonly signal: AbortSignal },
) => Promise<string | null>;

/** How long the other side may take to end its half of a connection that we have ended. Milliseconds. */
const LINGER = 1000;

/** Opens a TCP connection and ends it in good order: a reset would stand in the service's log as an error. */
export function tcpConnect(clock: Clock): Connect {
  return ({ host, port }, { timeout, signal }) =>
    new Promise((resolve) => {
      const socket = connectSocket({ host, port });
      socket.unref();
      const finish = (outcome: string | null): void => {
        cancel();
        signal.removeEventListener('abort', aborted);
        if (outcome === null) endGently(socket, clock, signal);
        else socket.destroy();
        resolve(outcome);
      };
      const aborted = (): void => finish('the probe was called off');
      const cancel = clock.after(timeout, () => finish(`no answer within ${timeout} ms`));
      signal.addEventListener('abort', aborted);
      socket.once('connect', () => finish(null));
      socket.on('error', (error: NodeJS.ErrnoException) => finish(describe(error)));
    });
}

/** What the service has said meanwhile (a greeting) is read: closing with unread data would send a reset. */
function endGently(socket: Socket, clock: Clock, signal: AbortSignal): void {
  const destroy = (): void => void socket.destroy();
  const cancel = clock.after(LINGER, destroy);
  signal.addEventListener('abort', destroy);
  socket.once('close', () => {
    cancel();
    signal.removeEventListener('abort', destroy);
  });
  socket.resume();
  socket.end();
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ECONNRESET: 'connection reset',
  ETIMEDOUT: 'connection timed out',
};

export function describe(error: NodeJS.ErrnoException): string {
  return WORDS[error.code ?? ''] ?? error.message;
}

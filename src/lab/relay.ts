import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { DirectorError } from '../lib/errors.ts';

const HOST = '127.0.0.1';
const TRIES = 20;

export interface Relay {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Hands every connection to 127.0.0.1:port on to a unix socket. What comes in there needs no token, so it is bound to
 * the loopback address and nothing else. Takes the next free port where `port` is taken.
 */
export async function startRelay(port: number, socket: string): Promise<Relay> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) =>
    pass(client, connect({ path: socket, allowHalfOpen: true }), open),
  );
  const taken = await listenNear(server, port);
  return {
    port: taken,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const one of open) one.destroy();
      }),
  };
}

function pass(client: Socket, daemon: Socket, open: Set<Socket>): void {
  for (const [one, other] of [
    [client, daemon],
    [daemon, client],
  ] as const) {
    open.add(one);
    one.pipe(other);
    one.on('error', () => other.destroy());
    one.on('close', () => open.delete(one));
  }
}

async function listenNear(server: Server, first: number): Promise<number> {
  for (let port = first; port < first + TRIES; port++) {
    if (await listens(server, port)) return port;
  }
  throw new DirectorError(`no port from ${first} to ${first + TRIES - 1} of ${HOST} is free`);
}

function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    };
    server.once('error', failed);
    server.listen(port, HOST, () => {
      server.off('error', failed);
      resolve(true);
    });
  });
}

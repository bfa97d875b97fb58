/**
 * A DomU's server, which says who it is. Run as `node server.js JSON` with a ServerOptions; prints `ready`.
 * TCP: `<name> <version> you are <client address>`, then `<name>: <line>` for each line; `quit` ends it.
 * Brief TCP ports write `<name> <version>` and close. UDP: `<name> <version> you are <client address> <payload>`.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { LabFamily, LabProtocol } from './topology.ts';

export interface Listening {
  readonly protocol: LabProtocol;
  readonly from: number;
  readonly to: number;
  readonly brief?: boolean;
}

export interface ServerOptions {
  readonly name: string;
  readonly version: string;
  readonly listen: readonly Listening[];
}

/** Both families have a socket of their own, so that an IPv4 client is never shown as `::ffff:...`. */
const ANY: readonly (readonly [LabFamily, string])[] = [
  [4, '0.0.0.0'],
  [6, '::'],
];
const BACKLOG = 4096;
const ignore = (): void => undefined;

function converse(who: string, name: string, socket: Socket): void {
  socket.on('error', ignore);
  socket.write(`${who} you are ${socket.remoteAddress ?? 'gone'}\n`);
  createInterface({ input: socket })
    .on('error', ignore)
    .on('line', (line) => {
      if (line === 'quit') socket.end();
      else if (socket.writable) socket.write(`${name}: ${line}\n`);
    });
}

function dismiss(greeting: Buffer, socket: Socket): void {
  socket.on('error', ignore);
  socket.write(greeting);
  // Closes without waiting for the client's end: nothing more is read here.
  socket.destroySoon();
}

function listenTcp(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ipv6Only: host === '::', backlog: BACKLOG }, resolve);
  });
}

function listenUdp(who: string, family: LabFamily, host: string, port: number): Promise<void> {
  const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 });
  socket.on('message', (payload, { address, port: from }) => {
    socket.send(`${who} you are ${address} ${payload.toString()}`, from, address, ignore);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ port, address: host }, () => {
      socket.on('error', ignore);
      resolve();
    });
  });
}

function serve({ name, version, listen }: ServerOptions): Promise<unknown> {
  const who = `${name} ${version}`;
  const greeting = Buffer.from(`${who}\n`);
  const open = ({ protocol, brief }: Listening, port: number): Promise<void>[] =>
    ANY.map(([family, host]) => {
      if (protocol === 'udp') return listenUdp(who, family, host, port);
      const server =
        brief === true
          ? createServer({ pauseOnConnect: true }, (socket) => dismiss(greeting, socket))
          : createServer((socket) => converse(who, name, socket));
      return listenTcp(server, host, port);
    });
  return Promise.all(
    listen.flatMap((one) =>
      Array.from({ length: one.to - one.from + 1 }, (_, i) => open(one, one.from + i)).flat(),
    ),
  );
}

await serve(JSON.parse(process.argv[2] ?? '') as ServerOptions);
process.stdout.write('ready\n');

import { createServer } from 'node:net';
import type { Socket } from 'node:net';

export const XS = { directory: 1, read: 2, watch: 4, event: 15, error: 16 } as const;

export interface Asked {
  readonly type: number;
  readonly request: number;
  /** With its zeros. */
  readonly text: string;
}

export function message(type: number, text: string, request = 0): Buffer {
  const body = Buffer.from(text, 'latin1');
  const head = Buffer.alloc(16);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(request, 4);
  head.writeUInt32LE(body.length, 12);
  return Buffer.concat([head, body]);
}

export interface FakeXenstored {
  /** What there is, by path; every directory on the way to it is there as well. */
  readonly tree: Map<string, string>;
  readonly asked: Asked[];
  readonly sockets: Set<Socket>;
  /** Tells everybody who watches anything. */
  fire(): void;
  close(): void;
}

/** A xenstored on this socket. `answer` may answer in its place: it says so by true. */
export async function fakeXenstored(
  path: string,
  answer: (socket: Socket, asked: Asked) => boolean = () => false,
): Promise<FakeXenstored> {
  const [tree, asked, sockets] = [new Map<string, string>(), [] as Asked[], new Set<Socket>()];
  const server = createServer((socket) => {
    sockets.add(socket);
    let rest = Buffer.alloc(0);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 16 && rest.length >= 16 + rest.readUInt32LE(12)) {
        const end = 16 + rest.readUInt32LE(12);
        const [type, request] = [rest.readUInt32LE(0), rest.readUInt32LE(4)];
        const one = { type, request, text: rest.toString('latin1', 16, end) };
        rest = rest.subarray(end);
        asked.push(one);
        if (!answer(socket, one)) socket.write(answerOf(tree, one));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    tree,
    asked,
    sockets,
    fire: () => {
      for (const socket of sockets) socket.write(message(XS.event, '@releaseDomain\0token\0'));
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function answerOf(tree: ReadonlyMap<string, string>, { type, request, text }: Asked): Buffer {
  const path = text.split('\0')[0] ?? '';
  if (type === XS.watch) return message(type, 'OK\0', request);
  if (type === XS.read) {
    const value = tree.get(path);
    return value === undefined ? message(XS.error, 'ENOENT\0', request) : message(type, value, request);
  }
  const below = [...tree.keys()].flatMap((key) =>
    key.startsWith(`${path}/`) ? [key.slice(path.length + 1).split('/')[0]] : [],
  );
  const names = [...new Set(below)];
  if (names.length === 0) return message(XS.error, 'ENOENT\0', request);
  return message(type, names.map((name) => `${name}\0`).join(''), request);
}

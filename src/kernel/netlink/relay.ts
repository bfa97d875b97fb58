import type { MessagePort } from 'node:worker_threads';
import { KernelError } from '../../lib/errors.ts';
import { GuardedSocket } from './socket.ts';
import type { NetlinkSocket } from './socket.ts';

/** One behind the other, with the length of each in bytes. */
export interface Datagrams {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lengths: readonly number[];
}

/** What a thread with sockets is asked. `id` names one socket for as long as the thread lives. */
export type Asked =
  | { readonly do: 'open'; readonly id: number; readonly protocol: number }
  | ({ readonly do: 'send'; readonly id: number } & Datagrams)
  | { readonly do: 'close'; readonly id: number }
  | { readonly do: 'end' };

/** What it answers: datagrams, or that a socket is of no use. */
export type Answered =
  | ({ readonly id: number } & Datagrams)
  | { readonly id: number; readonly failed: { readonly message: string; readonly code: string } };

/** Serves what comes through the port, until it is told to end. */
export function relaySockets(port: MessagePort): void {
  const sockets = new Map<number, NetlinkSocket>();
  const answer = (answered: Answered, transfer: ArrayBuffer[] = []): void =>
    port.postMessage(answered, transfer);
  const fail = (id: number, error: KernelError): void =>
    answer({ id, failed: { message: error.message, code: error.code } });
  const open = (id: number, protocol: number): void => {
    try {
      const socket = new GuardedSocket(protocol, {
        datagrams: (all) => {
          const bytes = joined(all);
          answer({ id, bytes, lengths: all.map(({ length }) => length) }, [bytes.buffer]);
        },
        failed: (error) => fail(id, error),
      });
      sockets.set(id, socket);
    } catch (error) {
      fail(id, error instanceof KernelError ? error : new KernelError(String(error), { code: 'EIO' }));
    }
  };
  port.on('message', (asked: Asked) => {
    if (asked.do === 'end') {
      for (const socket of sockets.values()) socket.close();
      port.close();
    } else if (asked.do === 'open') open(asked.id, asked.protocol);
    else if (asked.do === 'send') {
      for (const datagram of apart(asked)) sockets.get(asked.id)?.send(datagram);
    } else {
      sockets.get(asked.id)?.close();
      sockets.delete(asked.id);
    }
  });
}

export function apart({ bytes: { buffer }, lengths }: Datagrams): Buffer[] {
  let at = 0;
  return lengths.map((length) => Buffer.from(buffer, (at += length) - length, length));
}

/** In memory of their own, which can be given away. */
export function joined(all: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const one of all) {
    bytes.set(one, at);
    at += one.length;
  }
  return bytes;
}

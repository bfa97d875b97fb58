import { Worker } from 'node:worker_threads';
import { KernelError, messageOf } from '../../lib/errors.ts';
import { apart, joined } from './relay.ts';
import type { Answered, Asked } from './relay.ts';
import type { NetlinkSocket, SocketEvents } from './socket.ts';

/**
 * Sockets in a thread of their own. rtnetlink answers within the call that asks (netlink_sendmsg, rtnetlink_rcv), and
 * takes the rtnl lock first: while somebody else holds that, for as long as a driver or the end of a network namespace
 * needs it, the thread that asks stands still. So it is not the one that answers people.
 */
export class SocketThread {
  readonly #module: URL;
  readonly #sockets = new Map<number, SocketEvents>();
  readonly #held = new Set<number>();
  #worker: Worker | null = null;
  #last = 0;

  /** `module`: one that calls `relaySockets(parentPort)`. The thread starts now: it needs some tens of milliseconds. */
  constructor(module: URL) {
    this.#module = module;
    this.#running();
  }

  open(protocol: number, events: SocketEvents): NetlinkSocket {
    const id = ++this.#last;
    const worker = this.#running();
    const ask = (asked: Asked): void => worker.postMessage(asked);
    // Many are sent in one turn where thousands of links are made; each message between threads costs as much as one.
    let waiting: Buffer[] = [];
    const send = (): void => {
      const [all, lengths] = [waiting, waiting.map(({ length }) => length)];
      waiting = [];
      const bytes = joined(all);
      worker.postMessage({ do: 'send', id, bytes, lengths } satisfies Asked, [bytes.buffer]);
    };
    this.#sockets.set(id, events);
    ask({ do: 'open', id, protocol });
    return {
      send: (datagram) => {
        if (waiting.push(datagram) === 1) queueMicrotask(send);
      },
      hold: (alive) => {
        if (alive) this.#held.add(id);
        else this.#held.delete(id);
        this.#hold(worker);
      },
      close: () => {
        this.#sockets.delete(id);
        this.#held.delete(id);
        this.#hold(worker);
        ask({ do: 'close', id });
      },
    };
  }

  /** After its sockets. One that stands still in the kernel ends when the kernel lets go of it. */
  close(): void {
    void this.#worker?.terminate();
    this.#worker = null;
  }

  #running(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(this.#module, { name: 'rtnetlink' });
    worker.unref();
    let why = 'it ended';
    worker.on('message', (answered: Answered) => this.#onAnswer(answered));
    worker.once('error', (error) => (why = messageOf(error)));
    worker.once('exit', () => this.#onEnd(worker, why));
    return (this.#worker = worker);
  }

  #hold(worker: Worker): void {
    if (this.#held.size > 0) worker.ref();
    else worker.unref();
  }

  #onAnswer(answered: Answered): void {
    const events = this.#sockets.get(answered.id);
    if (events === undefined) return;
    if ('failed' in answered) {
      events.failed(new KernelError(answered.failed.message, { code: answered.failed.code }));
      return;
    }
    events.datagrams(apart(answered));
  }

  /** Who opens another one gets another thread. */
  #onEnd(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    const all = [...this.#sockets.values()];
    this.#sockets.clear();
    this.#held.clear();
    for (const events of all)
      events.failed(
        new KernelError(`the thread that asks the kernel for links has ended: ${why}`, { code: 'EIO' }),
      );
  }
}

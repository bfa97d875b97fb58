import { KernelError } from '../../lib/errors.ts';
import { Thread } from '../../lib/thread.ts';
import { apart, joined } from './relay.ts';
import type { Answered, Asked } from './relay.ts';
import type { NetlinkSocket, SocketEvents } from './socket.ts';

/**
 * Sockets in a thread of their own. rtnetlink answers within the call that asks (netlink_sendmsg, rtnetlink_rcv), and
 * takes the rtnl lock first: while somebody else holds that, for as long as a driver or the end of a network namespace
 * needs it, the thread that asks stands still. So it is not the one that answers people.
 */
export class SocketThread {
  readonly #thread: Thread<Asked, Answered>;
  readonly #sockets = new Map<number, SocketEvents>();
  readonly #held = new Set<number>();
  #last = 0;

  /** `module`: one that calls `relaySockets(parentPort)`. */
  constructor(module: URL) {
    this.#thread = new Thread(module, 'rtnetlink', {
      answered: (answered) => this.#onAnswer(answered),
      ended: (why) => this.#onEnd(why),
    });
  }

  open(protocol: number, events: SocketEvents): NetlinkSocket {
    const id = ++this.#last;
    // Many are sent in one turn where thousands of links are made; each message between threads costs as much as one.
    let waiting: Buffer[] = [];
    const send = (): void => {
      const [all, lengths] = [waiting, waiting.map(({ length }) => length)];
      waiting = [];
      const bytes = joined(all);
      this.#thread.ask({ do: 'send', id, bytes, lengths }, [bytes.buffer]);
    };
    this.#sockets.set(id, events);
    this.#thread.ask({ do: 'open', id, protocol });
    return {
      send: (datagram) => {
        if (waiting.push(datagram) === 1) queueMicrotask(send);
      },
      hold: (alive) => {
        if (alive) this.#held.add(id);
        else this.#held.delete(id);
        this.#thread.hold(this.#held.size > 0);
      },
      close: () => {
        // It is gone with its thread, where that has ended.
        if (!this.#sockets.delete(id)) return;
        this.#held.delete(id);
        this.#thread.hold(this.#held.size > 0);
        this.#thread.ask({ do: 'close', id });
      },
    };
  }

  /** After its sockets. */
  close(): Promise<void> {
    return this.#thread.close({ do: 'end' });
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
  #onEnd(why: string): void {
    const all = [...this.#sockets.values()];
    this.#sockets.clear();
    this.#held.clear();
    this.#thread.hold(false);
    for (const events of all)
      events.failed(
        new KernelError(`the thread that asks the kernel for links has ended: ${why}`, { code: 'EIO' }),
      );
  }
}

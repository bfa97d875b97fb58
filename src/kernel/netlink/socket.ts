import { RawNetlinkSocket } from 'netlink';
import { KernelError, messageOf } from '../../lib/errors.ts';

/** Bytes asked of SO_RCVBUF; the kernel gives at most net.core.rmem_max. */
const RECEIVE_BUFFER = 8 * 1024 * 1024;

export interface SocketEvents {
  /** All that had come by now, in order. */
  datagrams(bytes: readonly Buffer[]): void;
  /** The socket is of no use any more. */
  failed(error: KernelError): void;
}

/** One netlink socket, wherever it is. */
export interface NetlinkSocket {
  /** Goes out at once where nothing waits to be sent. Failures come as the event `failed`. */
  send(datagram: Buffer): void;
  /** Whether it keeps the process alive. */
  hold(alive: boolean): void;
  close(): void;
}

/** Throws KernelError where the kernel gives no such socket, or tells it by the event `failed`. */
export type OpenSocket = (protocol: number, events: SocketEvents) => NetlinkSocket;

/**
 * A netlink socket that keeps the process from ending by accident. The native part aborts when a listener throws while
 * it calls back, or when nobody listens for an error; so nothing of ours runs before it has returned (setImmediate). It
 * aborts as well when the receive buffer overflows: whoever sends must bound what is under way.
 */
export class GuardedSocket implements NetlinkSocket {
  readonly #native: RawNetlinkSocket;
  readonly #events: SocketEvents;
  #come: Buffer[] = [];
  #held = true;
  #closed = false;

  /** Throws KernelError where the kernel gives no such socket. */
  constructor(protocol: number, events: SocketEvents) {
    this.#events = events;
    try {
      this.#native = new RawNetlinkSocket(protocol);
    } catch (error) {
      throw failure(`cannot open a netlink socket (protocol ${protocol})`, error);
    }
    this.#native.on('message', (bytes, { port }) => {
      // Other processes may write to us; only port 0 is the kernel.
      if (port === 0) this.#take(bytes);
    });
    this.#native.on('truncatedMessage', (bytes) =>
      this.#fail(new Error(`a message of more than ${bytes.length} bytes was cut off`)),
    );
    this.#native.on('error', (error) => this.#fail(error));
    this.#enlarge();
    this.hold(false);
  }

  /** A dump may be thousands of datagrams; they come in bursts, and each burst is passed on at once. */
  #take(bytes: Buffer): void {
    if (this.#come.push(bytes) > 1) return;
    this.#defer(() => {
      const come = this.#come;
      this.#come = [];
      this.#events.datagrams(come);
    });
  }

  #enlarge(): void {
    try {
      this.#native.setRecvBufferSize(RECEIVE_BUFFER);
    } catch {
      // The default holds what may be under way; a larger one only spares turns.
    }
  }

  #defer(work: () => void): void {
    setImmediate(() => {
      if (!this.#closed) work();
    });
  }

  #fail(error: unknown): void {
    this.#defer(() => this.#events.failed(failure('the netlink socket failed', error)));
  }

  send(datagram: Buffer): void {
    try {
      this.#native.send(datagram, undefined, (error) => {
        if (error !== undefined) this.#fail(error);
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  hold(alive: boolean): void {
    if (this.#closed || alive === this.#held) return;
    this.#held = alive;
    if (alive) this.#native.ref();
    else this.#native.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#native.close();
  }
}

function failure(what: string, error: unknown): KernelError {
  const code = (error as { code?: unknown }).code;
  return new KernelError(`${what}: ${messageOf(error)}`, {
    code: typeof code === 'string' ? code : 'EIO',
    cause: error,
  });
}

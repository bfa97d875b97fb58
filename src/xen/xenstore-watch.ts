import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';

/**
 * struct xsd_sockmsg of xen/include/public/io/xs_wire.h: type, request, transaction and length of what follows, 32 bits
 * each, in the host's order (which is little-endian wherever Xen has a Dom0). What follows has 4096 bytes at the most.
 */
const HEAD = 16;
const MOST = 4096;
const XS_WATCH = 4;
const XS_WATCH_EVENT = 15;
const XS_ERROR = 16;
/** Comes back with each event; there is but one listener. */
const TOKEN = 'dom0-director';

/** One that could not be reached, or that has gone, is tried again after this many milliseconds at the earliest. */
const AGAIN_AFTER = 5000;

export interface XenstoreWatchOptions {
  /** Path of xenstored's socket. */
  readonly socket: string;
  /** What is watched, and everything below it. */
  readonly paths: readonly string[];
  readonly clock: Clock;
  /** Also once for each path in the beginning. */
  readonly onEvent: () => void;
}

/**
 * Is told by xenstored itself: costs nothing while nothing happens. The program `xenstore-watch` does the same, but goes
 * on at full speed, and silently, when xenstored has ended.
 */
export class XenstoreWatch {
  readonly #options: XenstoreWatchOptions;
  #socket: Socket | null = null;
  #open = false;
  #triedAt = -Infinity;
  #closed = false;

  constructor(options: XenstoreWatchOptions) {
    this.#options = options;
  }

  /** Every path is watched. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Again where it has ended, unless it has been tried just now. */
  open(): void {
    const { clock, socket: path } = this.#options;
    if (this.#closed || this.#socket !== null || clock.now() - this.#triedAt < AGAIN_AFTER) return;
    this.#triedAt = clock.now();
    const socket = connect({ path });
    this.#socket = socket;
    // It is no reason for this process to stay.
    socket.unref();
    socket.once('connect', () => this.#ask(socket));
    socket.on('error', () => undefined);
    socket.once('close', () => this.#gone(socket));
    this.#listen(socket);
  }

  close(): void {
    this.#closed = true;
    const socket = this.#socket;
    if (socket !== null) this.#gone(socket);
    socket?.destroy();
  }

  #gone(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#open = false;
  }

  #ask(socket: Socket): void {
    for (const path of this.#options.paths) socket.write(message(XS_WATCH, `${path}\0${TOKEN}\0`));
  }

  #listen(socket: Socket): void {
    let rest = Buffer.alloc(0);
    let watched = 0;
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= HEAD) {
        const [type, length] = [rest.readUInt32LE(0), rest.readUInt32LE(12)];
        if (type === XS_ERROR || length > MOST) return void socket.destroy();
        if (rest.length < HEAD + length) return;
        rest = rest.subarray(HEAD + length);
        if (type === XS_WATCH) this.#open = ++watched === this.#options.paths.length;
        if (type === XS_WATCH_EVENT && this.#socket === socket) this.#options.onEvent();
      }
    });
  }
}

function message(type: number, payload: string): Buffer {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(HEAD);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(body.length, 12);
  return Buffer.concat([head, body]);
}

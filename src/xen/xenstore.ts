import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';
import { XenError } from './xen-error.ts';

/**
 * struct xsd_sockmsg of xen/include/public/io/xs_wire.h: type, request, transaction and length of what follows, 32 bits
 * each, in the host's order (which is little-endian wherever Xen has a Dom0). What follows has 4096 bytes at the most.
 */
const HEAD = 16;
const MOST = 4096;
const XS = { directory: 1, read: 2, watch: 4, event: 15, error: 16 } as const;
/** Comes back with each event; there is but one listener. */
const TOKEN = 'dom0-director';

/** One that could not be reached, or that has gone, is tried again after this many milliseconds at the earliest. */
const AGAIN_AFTER = 5000;

export interface XenstoreOptions {
  /** Path of xenstored's socket. */
  readonly socket: string;
  /** What is watched, and everything below it. */
  readonly paths: readonly string[];
  readonly clock: Clock;
  /** Also once for each path in the beginning. */
  readonly onEvent: () => void;
}

interface Waiting {
  readonly resolve: (answer: Buffer) => void;
  readonly reject: (error: XenError) => void;
}

/**
 * xenstored itself (docs/misc/xenstore.txt): it tells of changes, which costs nothing while there are none, and what is
 * asked of it is answered before a program that asks has even started. The program `xenstore-watch` goes on at full
 * speed, and silently, when xenstored has ended.
 */
export class Xenstore {
  readonly #options: XenstoreOptions;
  #socket: Socket | null = null;
  #open = false;
  #triedAt = -Infinity;
  #closed = false;
  #request = 0;
  readonly #waiting = new Map<number, Waiting>();

  constructor(options: XenstoreOptions) {
    this.#options = options;
  }

  /** Every path is watched, and questions are answered. */
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
    socket.once('connect', () => void this.#watch(socket));
    socket.on('error', () => undefined);
    socket.once('close', () => this.#gone(socket));
    this.#listen(socket);
  }

  /** Names of what is below; [] also where there is no such path. XenError where it does not answer. */
  async directory(path: string): Promise<string[]> {
    const answer = await this.#ask(XS.directory, `${path}\0`);
    return answer === null ? [] : answer.toString('latin1').split('\0').filter(Boolean);
  }

  /** Null where there is no such path. XenError where it does not answer. */
  async read(path: string): Promise<string | null> {
    return (await this.#ask(XS.read, `${path}\0`))?.toString('latin1') ?? null;
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
    const left = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of left) reject(new XenError('xenstored has ended the connection'));
  }

  async #watch(socket: Socket): Promise<void> {
    const { paths } = this.#options;
    try {
      await Promise.all(paths.map((path) => this.#send(XS.watch, `${path}\0${TOKEN}\0`)));
      this.#open = this.#socket === socket;
    } catch {
      socket.destroy();
    }
  }

  async #ask(type: number, payload: string): Promise<Buffer | null> {
    try {
      return await this.#send(type, payload);
    } catch (error) {
      if (error instanceof XenError && error.message === 'ENOENT') return null;
      throw error;
    }
  }

  /** Rejects with the name of the error number that it answers (xs_wire.h, xsd_errors). */
  #send(type: number, payload: string): Promise<Buffer> {
    const socket = this.#socket;
    if (socket === null) return Promise.reject(new XenError('xenstored cannot be reached'));
    const request = ++this.#request % 2 ** 32;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
      const body = Buffer.from(payload);
      const head = Buffer.alloc(HEAD);
      head.writeUInt32LE(type, 0);
      head.writeUInt32LE(request, 4);
      head.writeUInt32LE(body.length, 12);
      socket.write(Buffer.concat([head, body]));
    });
  }

  #listen(socket: Socket): void {
    let rest = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= HEAD) {
        const length = rest.readUInt32LE(12);
        if (length > MOST) {
          socket.destroy();
          return;
        }
        if (rest.length < HEAD + length) return;
        const body = rest.subarray(HEAD, HEAD + length);
        if (this.#socket === socket) this.#take(rest.readUInt32LE(0), rest.readUInt32LE(4), body);
        rest = rest.subarray(HEAD + length);
      }
    });
  }

  #take(type: number, request: number, body: Buffer): void {
    if (type === XS.event) {
      this.#options.onEvent();
      return;
    }
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    if (type === XS.error) waiting?.reject(new XenError(body.toString('latin1').replace(/\0+$/, '')));
    else waiting?.resolve(Buffer.from(body));
  }
}

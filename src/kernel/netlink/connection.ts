import { KernelError } from '../../lib/errors.ts';
import { refusalOf } from './errno.ts';
import type { ErrnoNamer } from './errno.ts';
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  encodeMessage,
  joinMessages,
  splitMessages,
} from './message.ts';
import type { NetlinkMessage, SequencedMessage } from './message.ts';
import { GuardedSocket } from './socket.ts';
import type { NetlinkSocket, OpenSocket } from './socket.ts';

export type { NetlinkMessage } from './message.ts';

/** linux/netlink.h. */
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/**
 * A receive buffer that overflows ends the process: the socket's library makes its error of a null string (its
 * binding.cc, PollHandler), and nothing can catch that. So these must fit into a buffer of 208 kB, the usual default,
 * with the kernel's own cost of each: up to two answers to a request, and a refusal repeats the whole request.
 */
const MOST_UNDER_WAY = 32;
const MOST_BYTES_UNDER_WAY = 96 * 1024;
/** A sequence number has 32 bits. */
const MOST_SEQUENCE = 0xffff_ffff;

export interface NetlinkOptions {
  readonly nameErrno?: ErrnoNamer;
  /** Milliseconds until a request counts as lost; 5,000. */
  readonly requestTimeout?: number;
  /** Milliseconds without progress until a dump does; 30,000. */
  readonly dumpTimeout?: number;
  /** Where its sockets are; in this thread unless said. */
  readonly openSocket?: OpenSocket;
}

/** A request, or several that go together. */
export interface Request {
  readonly type: number;
  readonly payload: Uint8Array;
}

interface Job {
  /** In one datagram; only the last has an answer of its own if all goes well. */
  readonly messages: readonly (Request & { readonly flags: number })[];
  readonly timeout: number;
  readonly dump: boolean;
  receive(messages: NetlinkMessage[]): void;
  settle(error: Error | null): void;
}

interface UnderWay extends Job {
  readonly bytes: number;
  /** The sequence number of the first of its messages. */
  readonly first: number;
  readonly timer: NodeJS.Timeout;
  /** Why one of them was refused that is not the last. */
  refused: Error | null;
}

/**
 * Requests and dumps over one netlink socket of its own, opened when first needed and again after a failure. Up to 32
 * requests are under way at once, in the order in which they came; a dump goes alone. The process stays alive while
 * something is waited for, and only then.
 */
export class NetlinkConnection {
  readonly #protocol: number;
  readonly #options: NetlinkOptions;
  readonly #queue: Job[] = [];
  /** By the sequence number of the last of its messages. */
  readonly #underWay = new Map<number, UnderWay>();
  #bytesUnderWay = 0;
  #dumping = false;
  #socket: NetlinkSocket | null = null;
  #sequence = 0;
  #closed = false;

  private constructor(protocol: number, options: NetlinkOptions) {
    this.#protocol = protocol;
    this.#options = options;
  }

  /** `protocol`: NETLINK_ROUTE or NETLINK_NETFILTER. */
  static open(protocol: number, options: NetlinkOptions = {}): NetlinkConnection {
    return new NetlinkConnection(protocol, options);
  }

  /**
   * Sends one message with NLM_F_REQUEST and NLM_F_ACK; resolves with what came before the ACK, often nothing.
   * Throws KernelError with the errno's name as its code; ETIMEDOUT, EIO and the like where it is not known whether
   * the kernel did it.
   */
  request(type: number, flags: number, payload: Uint8Array): Promise<NetlinkMessage[]> {
    const replies: NetlinkMessage[] = [];
    return this.#enqueue<NetlinkMessage[]>((resolve, reject) => ({
      messages: [{ type, flags: flags | NLM_F_REQUEST | NLM_F_ACK, payload }],
      timeout: this.#options.requestTimeout ?? 5000,
      dump: false,
      receive: (messages) => replies.push(...messages),
      settle: (error) => (error === null ? resolve(replies) : reject(error)),
    }));
  }

  /**
   * The same for several messages in one datagram, which the kernel carries out in their order within one call
   * (af_netlink.c, netlink_rcv_skb). Throws what the first refusal says: those behind it were carried out all the same.
   * Together they should be well below 64 kB.
   */
  requestAll(requests: readonly Request[]): Promise<void> {
    const last = requests.length - 1;
    if (last < 0) return Promise.resolve();
    return this.#enqueue<undefined>((resolve, reject) => ({
      messages: requests.map(({ type, payload }, index) => ({
        type,
        flags: index === last ? NLM_F_REQUEST | NLM_F_ACK : NLM_F_REQUEST,
        payload,
      })),
      timeout: this.#options.requestTimeout ?? 5000,
      dump: false,
      receive: () => undefined,
      settle: (error) => (error === null ? resolve(undefined) : reject(error)),
    }));
  }

  /**
   * Calls back with the messages of each datagram as it comes, and resolves after the last. Throws KernelError with
   * code EINTR where what was dumped changed meanwhile: ask again (or use `dumpWhole`). What the callback throws is
   * thrown here, when the kernel has ended.
   */
  dump(type: number, payload: Uint8Array, onMessages: (messages: NetlinkMessage[]) => void): Promise<void> {
    let thrown: Error | null = null;
    return this.#enqueue<undefined>((resolve, reject) => ({
      messages: [{ type, flags: NLM_F_REQUEST | NLM_F_DUMP, payload }],
      timeout: this.#options.dumpTimeout ?? 30_000,
      dump: true,
      receive: (messages) => {
        if (messages.some(({ flags }) => (flags & NLM_F_DUMP_INTR) !== 0)) thrown ??= interrupted(type);
        if (thrown === null) thrown = attempt(() => onMessages(messages));
      },
      settle: (error) => {
        const reason = error ?? thrown;
        if (reason === null) resolve(undefined);
        else reject(reason);
      },
    }));
  }

  /** Everything that waits is rejected with ECANCELED. */
  close(): void {
    this.#closed = true;
    this.#reset(
      new KernelError('the netlink connection was closed while this waited for its answer', {
        code: 'ECANCELED',
      }),
    );
    for (const job of this.#queue.splice(0)) job.settle(closed());
  }

  #enqueue<T>(job: (resolve: (value: T) => void, reject: (error: Error) => void) => Job): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(closed());
        return;
      }
      this.#queue.push(job(resolve, reject));
      this.#pump();
    });
  }

  #pump(): void {
    for (let next = this.#queue[0]; next !== undefined && this.#hasRoomFor(next); next = this.#queue[0]) {
      this.#queue.shift();
      this.#send(next);
    }
    this.#socket?.hold(this.#underWay.size > 0);
  }

  #hasRoomFor(job: Job): boolean {
    if (this.#underWay.size === 0) return true;
    if (this.#dumping || job.dump) return false;
    return this.#underWay.size < MOST_UNDER_WAY && this.#bytesUnderWay + bytesOf(job) <= MOST_BYTES_UNDER_WAY;
  }

  #send(job: Job): void {
    const failed = attempt(() => (this.#socket ??= this.#openSocket()));
    if (failed !== null || this.#socket === null) {
      job.settle(failed);
      return;
    }
    const { messages } = job;
    const first = this.#sequence + messages.length > MOST_SEQUENCE ? 1 : this.#sequence + 1;
    const last = (this.#sequence = first + messages.length - 1);
    const timer = setTimeout(() => this.#onTimer(last), job.timeout);
    const bytes = bytesOf(job);
    this.#underWay.set(last, { ...job, bytes, first, timer, refused: null });
    this.#bytesUnderWay += bytes;
    this.#dumping = job.dump;
    this.#socket.send(
      joinMessages(
        messages.map(({ type, flags, payload }, index) => encodeMessage(type, flags, first + index, payload)),
      ),
    );
  }

  #openSocket(): NetlinkSocket {
    const open = this.#options.openSocket ?? ((protocol, events) => new GuardedSocket(protocol, events));
    return open(this.#protocol, {
      datagrams: (all) => {
        for (const bytes of all) this.#onDatagram(bytes);
        this.#pump();
      },
      failed: (error) => this.#reset(error),
    });
  }

  #onDatagram(bytes: Buffer): void {
    let messages: SequencedMessage[];
    try {
      messages = splitMessages(bytes);
    } catch (error) {
      this.#reset(error as KernelError);
      return;
    }
    for (let start = 0; start < messages.length;) {
      const sequence = messages[start]?.sequence ?? 0;
      let end = start;
      while (messages[end]?.sequence === sequence) end++;
      this.#onMessages(sequence, messages.slice(start, end));
      start = end;
    }
  }

  /** Answers to one request. A sequence number that is not waited for is a stranger's, or came too late. */
  #onMessages(sequence: number, messages: SequencedMessage[]): void {
    const job = this.#underWay.get(sequence);
    if (job === undefined) {
      this.#onRefusal(sequence, messages);
      return;
    }
    const last = messages.findIndex(({ type }) => type === NLMSG_DONE || type === NLMSG_ERROR);
    const data = (last === -1 ? messages : messages.slice(0, last)).filter(({ type }) => type !== NLMSG_NOOP);
    if (data.length > 0) job.receive(data);
    const end = messages[last];
    if (end === undefined) {
      job.timer.refresh();
      return;
    }
    if ((end.flags & NLM_F_DUMP_INTR) !== 0) job.receive([end]);
    this.#settle(sequence, job, job.refused ?? refusalOrBroken(end, typeOf(job), this.#options.nameErrno));
  }

  /** Of several that went together one that is not the last is answered only if it is refused. */
  #onRefusal(sequence: number, messages: readonly SequencedMessage[]): void {
    const end = messages.find(({ type }) => type === NLMSG_ERROR);
    if (end === undefined) return;
    for (const [last, job] of this.#underWay) {
      if (sequence < job.first || sequence > last) continue;
      const asked = job.messages[sequence - job.first]?.type ?? typeOf(job);
      job.refused ??= refusalOrBroken(end, asked, this.#options.nameErrno);
    }
  }

  #settle(sequence: number, job: UnderWay, error: Error | null): void {
    clearTimeout(job.timer);
    this.#underWay.delete(sequence);
    this.#bytesUnderWay -= job.bytes;
    if (job.dump) this.#dumping = false;
    job.settle(error);
  }

  /** The process may have slept, and the answer be there unread: it is late only if a look at the socket finds none. */
  #onTimer(sequence: number): void {
    setImmediate(() =>
      setImmediate(() => {
        const job = this.#underWay.get(sequence);
        if (job === undefined) return;
        this.#reset(
          new KernelError(
            `the kernel did not answer netlink message 0x${typeOf(job).toString(16)} within ${job.timeout} ms; whether it did what was asked is not known`,
            { code: 'ETIMEDOUT', hint: 'Look at the kernel again before you go on; see dmesg.' },
          ),
        );
      }),
    );
  }

  /** All that are under way fail with `error`; the next one gets a socket of its own. */
  #reset(error: KernelError): void {
    this.#socket?.close();
    this.#socket = null;
    for (const [sequence, job] of [...this.#underWay]) this.#settle(sequence, job, error);
    if (!this.#closed) this.#pump();
  }
}

const bytesOf = ({ messages }: Job): number => messages.reduce((sum, { payload }) => sum + payload.length, 0);

/** What it is called by. */
const typeOf = ({ messages }: Job): number => messages.at(-1)?.type ?? 0;

function refusalOrBroken(end: NetlinkMessage, asked: number, own: ErrnoNamer | undefined): Error | null {
  let refusal: Error | null = null;
  const broken = attempt(() => (refusal = refusalOf(end, asked, own)));
  return broken ?? refusal;
}

function attempt(work: () => unknown): Error | null {
  try {
    work();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const closed = (): KernelError =>
  new KernelError('the netlink connection is closed; nothing was sent', { code: 'ECANCELED' });

const interrupted = (type: number): KernelError =>
  new KernelError(
    `what netlink message 0x${type.toString(16)} listed changed while it was listed; nothing was changed by listing it`,
    { code: 'EINTR', hint: 'List it again.' },
  );

const MOST_DUMPS = 10;

/** All messages of a dump that nothing interrupted; asked again while the kernel says that it was (EINTR). */
export async function dumpWhole(
  connection: NetlinkConnection,
  type: number,
  payload: Uint8Array,
): Promise<NetlinkMessage[]> {
  for (let tries = 1; ; tries++) {
    const found: NetlinkMessage[] = [];
    try {
      await connection.dump(type, payload, (messages) => {
        for (const message of messages) found.push(message);
      });
      return found;
    } catch (error) {
      if (!(error instanceof KernelError && error.code === 'EINTR') || tries === MOST_DUMPS) throw error;
    }
  }
}

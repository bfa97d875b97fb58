import type { ServerResponse } from 'node:http';
import type { JournalRecord } from '../model/records.ts';
import type { Director } from '../switchover/director.ts';
import { journalView } from './views.ts';

/** Proxies and browsers give up on a silent connection after 30 s to 60 s. */
const HEARTBEAT = 15_000;
/** Who is further behind than this is dropped, and comes back with the id that it saw last. Bytes. */
const MOST_BUFFERED = 1024 * 1024;
const PAGE = 500;

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  // nginx holds answers back otherwise.
  'x-accel-buffering': 'no',
  // A stream has no end that another request could follow.
  connection: 'close',
};

/**
 * Server-sent events (WHATWG HTML, section 9.2). Each journal entry is `event: KIND`, `id: ID`, `data: JournalEntry`;
 * a service that changed otherwise is `event: service`, `data: {"service": NAME}`, and has no id.
 */
export class EventStreams {
  readonly #director: Director;
  readonly #readers = new Set<ServerResponse>();
  /** Those that have caught up with the journal, and are told what happens as it happens. */
  readonly #live = new Set<ServerResponse>();
  readonly #heartbeat: NodeJS.Timeout;
  readonly #unsubscribe: readonly (() => void)[];
  #closed = false;

  constructor(director: Director) {
    this.#director = director;
    this.#heartbeat = setInterval(() => this.#broadcast(() => ': still here\n\n'), HEARTBEAT).unref();
    this.#unsubscribe = [
      director.events.on('journal', (record) => this.#broadcast(() => journalFrame(record))),
      director.events.on('service', (service) => this.#broadcast(() => serviceFrame(service))),
    ];
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** Streams until the client or the server ends it. `after`: first what the journal has after this id. */
  async open(response: ServerResponse, after: number | null): Promise<void> {
    // A write to a client that has just gone is no news.
    response.on('error', () => undefined);
    response.on('close', () => this.#forget(response));
    response.writeHead(200, HEADERS);
    if (this.#closed) {
      response.end();
      return;
    }
    this.#readers.add(response);
    response.write('retry: 2000\n\n');
    if (after !== null) await this.#replay(response, after);
    if (this.#readers.has(response)) this.#live.add(response);
  }

  /** Ends with a page that was not full, in the same turn of the event loop: no entry is missed or sent twice. */
  async #replay(response: ServerResponse, after: number): Promise<void> {
    let last = after;
    while (this.#readers.has(response)) {
      const page = this.#director.journal({ limit: PAGE, after: last });
      const drained = response.write(page.map(journalFrame).join('') || ': nothing new\n\n');
      if (page.length < PAGE) {
        this.#live.add(response);
        return;
      }
      last = page.at(-1)?.id ?? last;
      if (!drained) await drainOrClose(response);
    }
  }

  #broadcast(frame: () => string): void {
    if (this.#live.size === 0) return;
    const text = frame();
    for (const response of this.#live) {
      response.write(text);
      if (response.writableLength > MOST_BUFFERED) response.destroy();
    }
  }

  #forget(response: ServerResponse): void {
    this.#readers.delete(response);
    this.#live.delete(response);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#heartbeat);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const response of this.#readers) response.end();
    this.#readers.clear();
    this.#live.clear();
  }
}

function journalFrame(record: JournalRecord): string {
  return `event: ${record.kind}\nid: ${record.id}\ndata: ${JSON.stringify(journalView(record))}\n\n`;
}

function serviceFrame(service: string): string {
  return `event: service\ndata: ${JSON.stringify({ service })}\n\n`;
}

function drainOrClose(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

import { Worker } from 'node:worker_threads';
import { messageOf } from './errors.ts';

/** Milliseconds. */
const PATIENCE_MS = 2000;

export interface ThreadEvents<Answered> {
  answered(answer: Answered): void;
  /** Nothing more is answered of what was asked. Whoever asks again starts another thread. */
  ended(why: string): void;
}

/** A thread of its own that is asked by messages; started again where it has ended by itself. */
export class Thread<Asked, Answered> {
  readonly #module: URL;
  readonly #name: string;
  readonly #events: ThreadEvents<Answered>;
  #worker: Worker | null = null;
  #held = false;
  #closed = false;

  /** `module`: its program. It starts now, which takes some tens of milliseconds, and keeps no process alive. */
  constructor(module: URL, name: string, events: ThreadEvents<Answered>) {
    this.#module = module;
    this.#name = name;
    this.#events = events;
    this.#running();
  }

  /** Nobody answers after `close`. */
  ask(asked: Asked, transfer: readonly ArrayBuffer[] = []): void {
    if (!this.#closed) this.#running().postMessage(asked, transfer);
  }

  /** Whether it keeps the process alive. */
  hold(alive: boolean): void {
    this.#held = alive;
    if (alive) this.#worker?.ref();
    else this.#worker?.unref();
  }

  /**
   * Asks the thread to end by itself, and resolves when it has. Native code that is taken down within a call may take
   * the whole process with it; so that is done only to one that does not answer, for it stands still in the kernel.
   */
  async close(end: Asked): Promise<void> {
    const worker = this.#worker;
    this.#closed = true;
    if (worker === null) return;
    this.#worker = null;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.ref();
    worker.postMessage(end);
    const patience = setTimeout(() => void worker.terminate(), PATIENCE_MS);
    await ended;
    clearTimeout(patience);
  }

  #running(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(this.#module, { name: this.#name });
    if (!this.#held) worker.unref();
    let why = 'it ended';
    worker.on('message', (answer: Answered) => this.#events.answered(answer));
    worker.once('error', (error) => (why = messageOf(error)));
    worker.once('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.#events.ended(why);
    });
    return (this.#worker = worker);
  }
}

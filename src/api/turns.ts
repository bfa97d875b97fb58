import { SerialQueue } from '../lib/queue.ts';

/** Jobs with the same key run one after another; jobs with different keys do not wait for each other. */
export class Turns {
  readonly #queues = new Map<string, SerialQueue>();

  async run<T>(key: string, job: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(key) ?? new SerialQueue();
    this.#queues.set(key, queue);
    try {
      return await queue.run(job);
    } finally {
      if (queue.waiting === 0) this.#queues.delete(key);
    }
  }
}

import { KernelError } from '../../../lib/errors.ts';
import { Thread } from '../../../lib/thread.ts';
import type { Flow, MarkFilter } from '../../kernel.ts';
import type { ConntrackClient } from './client.ts';
import type { Answer, Answered, Asked, Question } from './serve.ts';

/** What the kernel's connection tracking is asked. */
export interface FlowTable {
  readonly count: ConntrackClient['count'];
  readonly flows: ConntrackClient['flows'];
  readonly deleteByMark: ConntrackClient['deleteByMark'];
  readonly deleteFlow: ConntrackClient['deleteFlow'];
}

type Asking = Question extends infer Each ? (Each extends Question ? Omit<Each, 'id'> : never) : never;

interface Waiting {
  readonly flows: (flows: readonly Flow[]) => void;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: KernelError) => void;
}

/**
 * A ConntrackClient in a thread of its own: each question walks through all buckets of the kernel's table within a call
 * (nf_conntrack_netlink.c, ctnetlink_dump_table), tens of milliseconds on a large host, in which nobody would be answered.
 */
export class ConntrackThread implements FlowTable {
  readonly #thread: Thread<Asked, Answered>;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #closed = false;

  /** `module`: one that calls `serveConntrack(parentPort)`. */
  constructor(module: URL) {
    this.#thread = new Thread(module, 'conntrack', {
      answered: (answered) => this.#onAnswer(answered),
      ended: (why) => this.#onEnd(`the thread that asks the kernel for flows has ended: ${why}`),
    });
  }

  async count(mask: number, only?: MarkFilter): Promise<Map<number, number>> {
    const counts = await this.#ask({ do: 'count', mask, only });
    return new Map(counts as ReadonlyMap<number, number>);
  }

  async *flows(filter: MarkFilter): AsyncGenerator<readonly Flow[], void, undefined> {
    const come: (readonly Flow[])[] = [];
    let wake = (): void => undefined;
    const ended = this.#ask({ do: 'flows', filter }, (flows) => {
      come.push(flows);
      wake();
    });
    // It is thrown where it is waited for.
    ended.catch(() => undefined);
    for (let done = false; !done;) {
      const next = new Promise<boolean>((resolve) => (wake = () => resolve(false)));
      done = await Promise.race([next, ended.then(() => true)]);
      for (let chunk = come.shift(); chunk !== undefined; chunk = come.shift()) yield chunk;
    }
  }

  async deleteByMark(filter: MarkFilter): Promise<number> {
    return (await this.#ask({ do: 'deleteByMark', filter })) as number;
  }

  async deleteFlow(flow: Flow): Promise<boolean> {
    return (await this.#ask({ do: 'deleteFlow', flow })) as boolean;
  }

  /** Whatever waits is rejected with ECANCELED. */
  close(): Promise<void> {
    this.#closed = true;
    this.#onEnd('the director ends while this waited for its answer', 'ECANCELED');
    return this.#thread.close({ do: 'end' });
  }

  #ask(question: Asking, flows: Waiting['flows'] = () => undefined): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new KernelError('flows are not asked for any more: the director ends', { code: 'ECANCELED' }));
        return;
      }
      const id = ++this.#last;
      this.#waiting.set(id, { flows, resolve, reject });
      this.#thread.ask({ id, ...question });
      this.#thread.hold(true);
    });
  }

  #onAnswer(answered: Answered): void {
    const waiting = this.#waiting.get(answered.id);
    if (waiting === undefined) return;
    if ('flows' in answered) {
      waiting.flows(answered.flows);
      return;
    }
    this.#waiting.delete(answered.id);
    this.#thread.hold(this.#waiting.size > 0);
    if ('answer' in answered) waiting.resolve(answered.answer);
    else {
      const { message, code, hint } = answered.failed;
      waiting.reject(new KernelError(message, { code, ...(hint === undefined ? {} : { hint }) }));
    }
  }

  #onEnd(why: string, code = 'EIO'): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#thread.hold(false);
    for (const { reject } of all) reject(new KernelError(why, { code }));
  }
}

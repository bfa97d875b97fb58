import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../lib/errors.ts';
import type { Client } from './client.ts';
import { failed, Failure } from './failure.ts';
import { readEvents } from '../lib/sse.ts';
import type { ServerEvent } from '../lib/sse.ts';

/** The daemon sends a comment every 15 s; three missed ones are a connection that is dead. */
const SILENCE = 45_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

export interface FollowOptions {
  /** Id of the newest journal entry that is known already; what came after it comes first. */
  readonly after: number;
  readonly signal: AbortSignal;
  /** The connection is lost, and being looked for again. */
  onLost?(why: Failure): void;
  /** It is back. Nothing of the journal was missed, but views may have changed. */
  onBack?(): void;
}

/**
 * `GET /v1/events` for ever, connecting again where it left off. Ends when the signal says so; throws only where the
 * first connection does not come about, or the daemon refuses.
 */
export async function* follow(client: Client, options: FollowOptions): AsyncGenerator<ServerEvent> {
  const { signal } = options;
  const line = new Line(options);
  let last = String(options.after);
  let wait = FIRST_WAIT;
  while (!signal.aborted) {
    try {
      const stream = await client.stream('/v1/events', { 'last-event-id': last }, SILENCE, signal);
      line.up();
      wait = FIRST_WAIT;
      stream.setEncoding('utf8');
      for await (const event of readEvents(stream as AsyncIterable<string>)) {
        if (event.id !== '') last = event.id;
        yield event;
      }
      line.down(failed('The daemon ended the connection.'));
    } catch (error) {
      if (isAborted(signal)) return;
      line.down(toFailure(error));
    }
    await sleep(wait, undefined, { signal }).catch(() => undefined);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

/** Whether we are connected, told once for each change. */
class Line {
  readonly #options: FollowOptions;
  #state: 'new' | 'up' | 'down' = 'new';

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  up(): void {
    if (this.#state === 'down') this.#options.onBack?.();
    this.#state = 'up';
  }

  /** Throws where trying again makes no sense. */
  down(why: Failure): void {
    if (this.#state === 'new' || isRefusal(why)) throw why;
    if (this.#state === 'up') this.#options.onLost?.(why);
    this.#state = 'down';
  }
}

const isAborted = (signal: AbortSignal): boolean => signal.aborted;

/** 4xx will be the same the next time; anything else may pass (a daemon that starts again answers 5xx for a moment). */
const isRefusal = ({ problem }: Failure): boolean =>
  problem.status !== undefined && problem.status >= 400 && problem.status < 500;

function toFailure(error: unknown): Failure {
  return error instanceof Failure
    ? error
    : failed(`The connection to the daemon broke: ${messageOf(error)}.`);
}

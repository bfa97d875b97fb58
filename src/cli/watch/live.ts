import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalEntry, ServiceView } from '../../api/contract.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Context } from '../context.ts';
import { entryOf } from '../entry.ts';
import { follow } from '../follow.ts';
import { fetchServices } from '../services.ts';

/** What is known before the first event; entries are newest first. */
export interface WatchStart {
  readonly views: readonly ServiceView[];
  readonly entries: readonly JournalEntry[];
}

export interface Watcher {
  views(views: readonly ServiceView[]): void;
  entry?(entry: JournalEntry): void;
  /** Why nothing new comes; null once it does again. */
  trouble(why: string | null): void;
}

/** Events that come in one burst are one look at the services. */
const BURST = 100;
/** No event tells of connections that end by themselves: while some drain, this often is looked. */
const DRAINING = 2000;

/** Tells the watcher of every change until the signal ends it. */
export async function watchServices(
  context: Context,
  start: WatchStart,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<void> {
  const look = lookAgain(context, watcher, signal);
  if (isDraining(start.views)) look();
  const events = follow(context.client, {
    after: start.entries[0]?.id ?? 0,
    signal,
    onLost: ({ message }) => watcher.trouble(`${message} Trying again.`),
    onBack: () => {
      watcher.trouble(null);
      look();
    },
  });
  for await (const event of events) {
    const entry = entryOf(event);
    if (entry !== null) watcher.entry?.(entry);
    look();
  }
}

const isDraining = (views: readonly ServiceView[]): boolean =>
  views.some(({ draining }) => draining !== null);

/** Fetches the services soon; a call while it is at it makes it fetch once more. */
function lookAgain(context: Context, watcher: Watcher, signal: AbortSignal): () => void {
  let busy = false;
  let again = false;
  let later: NodeJS.Timeout | undefined;
  const run = async (): Promise<void> => {
    await sleep(BURST, undefined, { signal });
    again = false;
    const views = await fetchServices(context);
    watcher.views(views);
    clearTimeout(later);
    later = isDraining(views) ? setTimeout(look, DRAINING).unref() : undefined;
  };
  return look;

  function look(): void {
    again = true;
    if (busy || signal.aborted) return;
    busy = true;
    void run()
      .catch((error: unknown) => {
        if (!signal.aborted) watcher.trouble(messageOf(error));
      })
      .finally(() => {
        busy = false;
        if (again) look();
      });
  }
}

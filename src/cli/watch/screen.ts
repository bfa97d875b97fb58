import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalEntry, ServiceView } from '../../api/contract.ts';
import type { Context } from '../context.ts';
import { clockTime } from '../time.ts';
import { journalLines } from '../view/journal.ts';
import { NO_SERVICES, statusTable } from '../view/table.ts';
import { watchServices } from './live.ts';
import type { WatchStart } from './live.ts';
import { CLEAR_BELOW, CLEAR_LINE, ENTER, HOME, LEAVE } from './terminal.ts';

/** As many as stand below the services. */
export const SHOWN_ENTRIES = 8;

interface Picture {
  views: readonly ServiceView[];
  entries: readonly JournalEntry[];
  trouble: string | null;
}

/** The status on the whole screen, drawn again with every event and every second, for the time that is left. */
export async function watchScreen(context: Context, start: WatchStart, signal: AbortSignal): Promise<void> {
  const picture: Picture = { ...start, trouble: null };
  const draw = (): unknown => context.io.stdout.write(frame(context, picture));
  const show = (change: Partial<Picture>): void => {
    Object.assign(picture, change);
    draw();
  };
  context.io.stdout.write(ENTER);
  try {
    const watcher = {
      views: (views: readonly ServiceView[]) => show({ views }),
      entry: (entry: JournalEntry) => show({ entries: [entry, ...picture.entries].slice(0, SHOWN_ENTRIES) }),
      trouble: (trouble: string | null) => show({ trouble }),
    };
    const ended = new AbortController();
    const ticks = everySecond(draw, AbortSignal.any([signal, ended.signal]));
    await watchServices(context, start, watcher, signal).finally(() => ended.abort());
    await ticks;
  } finally {
    context.io.stdout.write(LEAVE);
  }
}

async function everySecond(draw: () => unknown, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    draw();
    await sleep(1000, undefined, { signal }).catch(() => undefined);
  }
}

function frame(context: Context, { views, entries, trouble }: Picture): string {
  const { look } = context;
  const { bold, dim, red } = look.colors;
  const now = context.now();
  const title = `${bold('director')}  ${clockTime(new Date(now).toISOString(), now)}  ${dim('Ctrl-C ends')}`;
  const top = [
    trouble === null ? title : `${title}  ${red(trouble)}`,
    '',
    ...(views.length === 0 ? [NO_SERVICES] : statusTable(views, look, now)),
  ];
  const rows = context.io.stdout.rows ?? 24;
  const journal = journalLines(entries.toReversed(), look, now);
  const room = Math.max(rows - top.length - 2, 0);
  const bottom = room > 0 && journal.length > 0 ? ['', dim('JOURNAL'), ...journal.slice(-room)] : [];
  const lines = [...top, ...bottom].slice(0, rows);
  return `${HOME}${lines.map((line) => line + CLEAR_LINE).join('\r\n')}${CLEAR_BELOW}`;
}

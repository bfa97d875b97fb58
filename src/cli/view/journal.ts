import type { JournalEntry } from '../../api/contract.ts';
import { wrap } from '../layout.ts';
import type { Look } from '../look.ts';
import { clockTime, fullTime } from '../time.ts';

const WIDEST_NAME = 18;

/** A line an entry, in the order given: when, who, what, why. Only a terminal leaves out today's date. */
export function journalLines(
  entries: readonly JournalEntry[],
  look: Look,
  now: number,
  width = nameWidth(entries),
): string[] {
  return entries.flatMap((entry) => entryLines(entry, look, now, width));
}

export function nameWidth(entries: readonly JournalEntry[]): number {
  return Math.min(Math.max(...entries.map(({ by }) => by.length), 0), WIDEST_NAME);
}

function entryLines(entry: JournalEntry, look: Look, now: number, width: number): string[] {
  const { dim, cyan } = look.colors;
  const time = look.tty ? clockTime(entry.at, now) : fullTime(entry.at);
  const by = entry.by.padEnd(width);
  const head = `${time}  ${by}  `;
  const text = entry.why === null ? entry.text : `${entry.text} (why: ${entry.why})`;
  const paint = paintKind(entry.kind, look);
  const indent = look.width - head.length < 30 ? 4 : head.length;
  return wrap(head + text, look, indent).map((line, at) =>
    at === 0 ? `${dim(time)}  ${cyan(by)}  ${paint(line.slice(head.length))}` : paint(line),
  );
}

function paintKind(kind: string, look: Look): (text: string) => string {
  const { red, yellow, green } = look.colors;
  if (kind === 'error' || kind === 'fail' || kind === 'stage-fail') return red;
  if (['switch', 'rollback', 'expire', 'repair', 'domu'].includes(kind)) return yellow;
  return kind === 'confirm' ? green : String;
}

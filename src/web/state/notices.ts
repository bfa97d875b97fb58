import { signal } from '@preact/signals';
import type { JournalEntry } from '../../api/contract.ts';
import { ApiError } from './api.ts';
import { session } from './session.ts';
import { localTimes, sentence, who } from './words.ts';

export interface Notice {
  readonly id: number;
  readonly tone: 'news' | 'bad';
  readonly title: string;
  readonly text: string;
}

export const notices = signal<readonly Notice[]>([]);
const MOST = 4;
/** Milliseconds; the journal keeps what is gone from here. Errors stay until somebody closes them. */
const SHOWN_FOR = 15_000;
let next = 1;

const QUIET: ReadonlySet<string> = new Set(['start', 'stop', 'drained', 'tester-expire', 'prune']);
const BAD: ReadonlySet<string> = new Set(['fail', 'error', 'expire', 'stage-fail']);

/** Tells what somebody did, by their name. */
export function notify({ kind, by, text }: JournalEntry): void {
  if (QUIET.has(kind)) return;
  const me = session.value?.by ?? null;
  const title = by === me ? 'You' : by === 'director' ? 'The director' : who(by);
  show({ tone: BAD.has(kind) ? 'bad' : 'news', title: `${title}:`, text: localTimes(text) });
}

export function complain(error: unknown): void {
  const hint = error instanceof ApiError && error.hint !== null ? ` ${sentence(error.hint)}` : '';
  const text = error instanceof Error ? error.message : String(error);
  show({ tone: 'bad', title: 'That did not work', text: `${sentence(text)}${hint}` });
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

function show(notice: Omit<Notice, 'id'>): void {
  const id = next++;
  notices.value = [...notices.value, { ...notice, id }].slice(-MOST);
  if (notice.tone === 'news') setTimeout(() => dismiss(id), SHOWN_FOR);
}

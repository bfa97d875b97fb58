import { useEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { JournalEntry } from '../../api/contract.ts';
import { JournalList } from '../parts/journal-list.tsx';
import { get } from '../state/api.ts';
import { complain } from '../state/notices.ts';
import { journal } from '../state/store.ts';

const PAGE = 100;

export function JournalPage(): JSX.Element {
  useEffect(() => {
    document.title = 'Journal · Dom0 Director';
  }, []);
  const [older, setOlder] = useState<readonly JournalEntry[]>([]);
  const [isAll, setAll] = useState(false);
  const known = new Map([...older, ...journal.value].map((entry) => [entry.id, entry]));
  const entries = [...known.values()].toSorted((a, b) => b.id - a.id);
  const more = (): void => {
    const before = entries.at(-1)?.id ?? 0;
    void get<JournalEntry[]>(`/v1/journal?limit=${PAGE}&before=${before}`).then((page) => {
      setOlder([...older, ...page]);
      setAll(page.length < PAGE);
    }, complain);
  };
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>Journal</h1>
        <p class="summary">Who did what, when and why; newest first.</p>
      </div>
      <section class="card" aria-label="Entries">
        <JournalList entries={entries} showServices />
        {entries.length >= PAGE && !isAll ? (
          <button type="button" onClick={more}>
            Older entries
          </button>
        ) : null}
      </section>
    </>
  );
}

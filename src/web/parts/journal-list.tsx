import type { JSX } from 'preact';
import type { JournalEntry } from '../../api/contract.ts';
import { localTimes, who } from '../state/words.ts';
import { Icon } from './icon.tsx';
import type { IconName } from './icon.tsx';
import { Link } from './link.tsx';
import { When } from './when.tsx';

const SIGN: Readonly<Record<string, IconName>> = {
  switch: 'right',
  confirm: 'good',
  rollback: 'back',
  expire: 'trial',
  fail: 'bad',
  error: 'bad',
  repair: 'drift',
  staged: 'good',
  'stage-fail': 'bad',
  hold: 'hold',
  release: 'hold',
  testing: 'tester',
  'tester-add': 'tester',
  'tester-remove': 'tester',
  'tester-expire': 'tester',
};

interface Props {
  readonly entries: readonly JournalEntry[];
  readonly showServices?: boolean;
}

export function JournalList({ entries, showServices = false }: Props): JSX.Element {
  if (entries.length === 0) return <p class="nothing">Nothing has happened yet.</p>;
  return (
    <ol class="journal">
      {entries.map(({ id, at, kind, by, text, why, services }) => (
        <li key={id} class={kind}>
          <When time={at} />
          <Icon name={SIGN[kind] ?? 'quiet'} />
          <div>
            <p>{localTimes(text)}</p>
            <p class="sub">
              <strong>{who(by)}</strong>
              {why === null ? '' : ` — “${why}”`}
              {showServices
                ? services.map((name) => (
                    <Link key={name} to={{ view: 'service', name }}>
                      {name}
                    </Link>
                  ))
                : null}
            </p>
          </div>
        </li>
      ))}
    </ol>
  );
}

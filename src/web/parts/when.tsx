import type { JSX } from 'preact';
import { ago, clock, fullTime } from '../state/words.ts';

/** A point in time in the reader's zone; all of it when one points at it. */
export function When({ time }: { readonly time: string }): JSX.Element {
  return (
    <time dateTime={time} title={fullTime(time)}>
      {clock(time)}
    </time>
  );
}

export function Ago({ time, now }: { readonly time: string; readonly now: number }): JSX.Element {
  return (
    <time dateTime={time} title={fullTime(time)}>
      {ago(now - Date.parse(time))}
    </time>
  );
}

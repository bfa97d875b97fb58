import type { JSX } from 'preact';

/** 16 by 16, drawn with lines; always beside a word, so hidden from screen readers. */
const PATHS = {
  good: 'M3 8.5l3.2 3.2L13 5',
  bad: 'M4 4l8 8M12 4l-8 8',
  warn: 'M8 2.5l6 10.8H2zM8 6.5v3.2M8 11.6v.1',
  quiet: 'M6 6a2 2 0 1 1 2.6 2c-.5.2-.6.5-.6 1.2M8 12v.1',
  trial: 'M8 14A5.5 5.5 0 1 0 8 3a5.5 5.5 0 0 0 0 11zM8 5.5v3l2 1.3M6.5 1.5h3',
  hold: 'M6 3.5v9M10 3.5v9',
  tester:
    'M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6z',
  lock: 'M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
  drift:
    'M9.8 6.2l3.4-3.4a3.6 3.6 0 0 1-4.7 4.7l-4.7 4.7a1.4 1.4 0 0 1-2-2l4.7-4.7a3.6 3.6 0 0 1 4.7-4.7L7.8 4.2z',
  drain: 'M2.5 3.5h11L9.5 9v4.5l-3-1.5V9z',
  right: 'M2.5 8h10.5M9 4l4 4-4 4',
  back: 'M13.5 8H3M7 4L3 8l4 4',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5L14 14',
  light:
    'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M3.2 12.8l1.1-1.1M11.7 4.3l1.1-1.1',
  dark: 'M13 9.6A5.5 5.5 0 0 1 6.4 3 5.5 5.5 0 1 0 13 9.6z',
  system: 'M2 3h12v8H2zM6 14h4M8 11v3',
  person: 'M8 8a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 8 8zM2.8 14c.4-2.8 2.4-4.2 5.2-4.2s4.8 1.4 5.2 4.2',
  close: 'M4 4l8 8M12 4l-8 8',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

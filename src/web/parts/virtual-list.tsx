import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { JSX } from 'preact';

interface Props<Item> {
  readonly items: readonly Item[];
  readonly label: string;
  readonly keyOf: (item: Item) => string;
  readonly row: (item: Item) => JSX.Element;
}

/** Rows beyond each edge of the window: one Tab further is always there. */
const BEYOND = 6;

/**
 * Only rows near the window exist, however many there are. All have the height that the style sheet says
 * (`--row-height`), so the whole keeps its length. Screen readers are told how many there are, and which one this is.
 */
export function VirtualList<Item>({ items, label, keyOf, row }: Props<Item>): JSX.Element {
  const list = useRef<HTMLUListElement>(null);
  const [height, setHeight] = useState(96);
  const [range, setRange] = useState<readonly [number, number]>([0, 20]);
  const [focused, setFocused] = useState<string | null>(null);

  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    const measure = (): void => {
      const size = rowHeightOf(element);
      setHeight(size);
      const { top } = element.getBoundingClientRect();
      const first = Math.max(Math.floor(-top / size) - BEYOND, 0);
      const last = Math.ceil((innerHeight - top) / size) + BEYOND;
      setRange((before) => (before[0] === first && before[1] === last ? before : [first, last]));
    };
    measure();
    addEventListener('scroll', measure, { passive: true });
    addEventListener('resize', measure);
    // Whatever stands above the list may come and go.
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => {
      removeEventListener('scroll', measure);
      removeEventListener('resize', measure);
      observer.disconnect();
    };
  }, []);

  const [first, last] = range;
  const visible = items.flatMap((item, index) => {
    const key = keyOf(item);
    return (index >= first && index <= last) || key === focused ? [{ item, index, key }] : [];
  });
  return (
    <ul
      ref={list}
      class="rows"
      aria-label={label}
      style={{ height: `${items.length * height}px` }}
      onFocusOut={() => setFocused(null)}
    >
      {visible.map(({ item, index, key }) => (
        <li
          key={key}
          aria-setsize={items.length}
          aria-posinset={index + 1}
          style={{ transform: `translateY(${index * height}px)` }}
          onFocusIn={() => setFocused(key)}
        >
          {row(item)}
        </li>
      ))}
    </ul>
  );
}

/** In pixels; the style sheet says it in rem, so that larger letters get taller rows. */
function rowHeightOf(element: HTMLElement): number {
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const rows = Number.parseFloat(getComputedStyle(element).getPropertyValue('--row-height'));
  return Math.round(rem * (Number.isFinite(rows) ? rows : 6));
}

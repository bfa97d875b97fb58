import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { JSX } from 'preact';

interface Props<Item> {
  readonly items: readonly Item[];
  readonly label: string;
  readonly keyOf: (item: Item) => string;
  /** Depends on the item alone, and on signals that it reads where it is drawn: it is kept for as long as the item. */
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
  const drawn = useRef<ReadonlyMap<string, { item: Item; element: JSX.Element }>>(new Map());
  const [focused, setFocused] = useState<string | null>(null);

  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    let size = rowHeightOf(element);
    const measure = (): void => {
      const { top } = element.getBoundingClientRect();
      const first = Math.max(Math.floor(-top / size) - BEYOND, 0);
      const last = Math.ceil((innerHeight - top) / size) + BEYOND;
      setRange((before) => (before[0] === first && before[1] === last ? before : [first, last]));
    };
    const resized = (): void => {
      size = rowHeightOf(element);
      setHeight(size);
      measure();
    };
    resized();
    addEventListener('scroll', measure, { passive: true });
    addEventListener('resize', resized);
    // Whatever stands above the list may come and go.
    const observer = new ResizeObserver(resized);
    observer.observe(document.body);
    return () => {
      removeEventListener('scroll', measure);
      removeEventListener('resize', resized);
      observer.disconnect();
    };
  }, []);

  const [first, last] = range;
  const visible = items.flatMap((item, index) => {
    const key = keyOf(item);
    if ((index < first || index > last) && key !== focused) return [];
    const before = drawn.current.get(key);
    return [{ item, index, key, element: before?.item === item ? before.element : row(item) }];
  });
  drawn.current = new Map(visible.map(({ key, item, element }) => [key, { item, element }]));
  return (
    <ul
      ref={list}
      class="rows"
      aria-label={label}
      style={{ height: `${items.length * height}px` }}
      onFocusOut={() => setFocused(null)}
    >
      {visible.map(({ index, key, element }) => (
        <li
          key={key}
          aria-setsize={items.length}
          aria-posinset={index + 1}
          style={{ transform: `translateY(${index * height}px)` }}
          onFocusIn={() => setFocused(key)}
        >
          {element}
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

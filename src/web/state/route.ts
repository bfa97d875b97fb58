import { signal } from '@preact/signals';

export type Route =
  | { readonly view: 'overview' }
  | { readonly view: 'service'; readonly name: string }
  | { readonly view: 'journal' }
  | { readonly view: 'test' };

export const route = signal<Route>(routeOf(location.pathname));

export function routeOf(path: string): Route {
  const service = /^\/services\/([^/]+)$/.exec(path)?.[1];
  if (service !== undefined) return { view: 'service', name: decodeURIComponent(service) };
  if (path === '/journal') return { view: 'journal' };
  return path === '/test' ? { view: 'test' } : { view: 'overview' };
}

export const pathOf = (to: Route): string => {
  if (to.view === 'service') return `/services/${encodeURIComponent(to.name)}`;
  return to.view === 'overview' ? '/' : `/${to.view}`;
};

export function go(to: Route): void {
  history.pushState(null, '', pathOf(to));
  arrive();
}

/** A reader who listens is told where they are: focus goes to the new view's heading. */
function arrive(): void {
  route.value = routeOf(location.pathname);
  scrollTo(0, 0);
  requestAnimationFrame(() => document.querySelector<HTMLElement>('h1')?.focus());
}

addEventListener('popstate', arrive);

/** For a link's onClick: the browser's own ways to open one elsewhere stay. */
export function followLink(event: MouseEvent, to: Route): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
  event.preventDefault();
  go(to);
}

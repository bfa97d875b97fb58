import type { ComponentChildren, JSX } from 'preact';
import { followLink, pathOf } from '../state/route.ts';
import type { Route } from '../state/route.ts';

interface Props {
  readonly to: Route;
  readonly class?: string;
  readonly current?: boolean;
  readonly children: ComponentChildren;
}

export function Link({ to, class: className, current, children }: Props): JSX.Element {
  return (
    <a
      href={pathOf(to)}
      class={className}
      aria-current={current === true ? 'page' : undefined}
      onClick={(event) => followLink(event, to)}
    >
      {children}
    </a>
  );
}

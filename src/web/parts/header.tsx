import type { JSX } from 'preact';
import { route } from '../state/route.ts';
import { asked, mayChange, session, signOut } from '../state/session.ts';
import { link, lostSince } from '../state/store.ts';
import { nextTheme, theme } from '../state/theme.ts';
import { clock } from '../state/words.ts';
import { Icon } from './icon.tsx';
import { Link } from './link.tsx';

export function Header(): JSX.Element {
  const { view } = route.value;
  return (
    <header class="top">
      <div class="bar">
        <Link to={{ view: 'overview' }} class="brand">
          <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect width="32" height="32" rx="7" />
            <path d="M5 16h8c5 0 4-8 9-8h5M13 16c5 0 4 8 9 8h5" />
          </svg>
          <span>Dom0 Director</span>
        </Link>
        <nav aria-label="Pages">
          <Link to={{ view: 'overview' }} current={view === 'overview'}>
            Services
          </Link>
          <Link to={{ view: 'journal' }} current={view === 'journal'}>
            Journal
          </Link>
          <Link to={{ view: 'test' }} current={view === 'test'}>
            Test
          </Link>
        </nav>
        <div class="tools">
          <Liveness />
          <button type="button" class="plain" onClick={nextTheme}>
            <Icon name={theme.value} />
            <span class="hidden">Colours: {theme.value}. Change them</span>
          </button>
          <Who />
        </div>
      </div>
    </header>
  );
}

function Liveness(): JSX.Element {
  const words = { connecting: 'Connecting', live: 'Live', lost: 'Not connected' } as const;
  return (
    <span class={`liveness ${link.value}`}>
      <span class="dot" aria-hidden="true" />
      {words[link.value]}
    </span>
  );
}

function Who(): JSX.Element | null {
  if (session.value === null) return null;
  const { by, needsToken } = session.value;
  if (!needsToken) return <span class="who">No token needed here</span>;
  return mayChange.value ? (
    <span class="who">
      <Icon name="person" />
      <span class="name">{by}</span>
      <button type="button" onClick={signOut}>
        Sign out
      </button>
    </span>
  ) : (
    <button type="button" onClick={() => (asked.value = { then: () => undefined })}>
      Sign in
    </button>
  );
}

/** Says so when what is shown may be old. Its place is kept: nothing jumps when it comes and goes. */
export function LostBanner(): JSX.Element {
  const lost = link.value === 'lost';
  return (
    <div class={`lost ${lost ? 'is-lost' : ''}`} role="status">
      {lost ? (
        <p>
          <Icon name="warn" />
          <span>
            <strong>The director does not answer</strong>
            {lostSince.value === null ? '' : ` since ${clock(lostSince.value)}`}. Traffic goes on as it was:
            the kernel directs it. This page comes back by itself; what it shows is from before.
          </span>
        </p>
      ) : null}
    </div>
  );
}

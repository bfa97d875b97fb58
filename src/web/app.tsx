import type { JSX } from 'preact';
import { Header, LostBanner } from './parts/header.tsx';
import { Notices } from './parts/notices.tsx';
import { SignIn } from './parts/sign-in.tsx';
import { SwitchDialog } from './parts/switch-dialog.tsx';
import { Trials } from './parts/trials.tsx';
import { route } from './state/route.ts';
import { ready, services } from './state/store.ts';
import { Icon } from './parts/icon.tsx';
import { JournalPage } from './views/journal.tsx';
import { Overview } from './views/overview.tsx';
import { ServicePage } from './views/service.tsx';
import { TestPage } from './views/test.tsx';

export function App(): JSX.Element {
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Header />
      <LostBanner />
      <main id="main">
        {route.value.view === 'test' ? null : <Trials />}
        <Unready />
        <View />
      </main>
      <Notices />
      <SwitchDialog />
      <SignIn />
    </>
  );
}

function View(): JSX.Element {
  const shown = route.value;
  if (shown.view === 'service') return <ServicePage key={shown.name} name={shown.name} />;
  if (shown.view === 'journal') return <JournalPage />;
  return shown.view === 'test' ? <TestPage /> : <Overview />;
}

/** The director runs, but does not hold what it should. */
function Unready(): JSX.Element | null {
  const state = ready.value;
  if (state === null || state.ready || services.value === null) return null;
  return (
    <div class="unready" role="status">
      <Icon name="warn" />
      <div>
        <strong>The kernel is not as it should be.</strong> The director goes on trying; “director doctor” on
        the host tells what is wrong.
        <ul>
          {state.problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      </div>
    </div>
  );
}

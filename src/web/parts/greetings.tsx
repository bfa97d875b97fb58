import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { GreetingView } from '../../api/contract.ts';
import { get } from '../state/api.ts';
import { clock } from '../state/words.ts';
import { Icon } from './icon.tsx';

type Heard =
  { readonly domus: readonly GreetingView[]; readonly at: number } | { readonly error: string } | null;

/** Which version is where: the director connects to both DomUs and tells what they say. */
export function Greetings({ name }: { name: string }): JSX.Element {
  const [heard, setHeard] = useState<Heard>(null);
  const [busy, setBusy] = useState(false);
  const ask = (): void => {
    setBusy(true);
    void get<GreetingView[]>(`/v1/services/${name}/greetings`)
      .then(
        (domus) => setHeard({ domus, at: Date.now() }),
        (error: unknown) => setHeard({ error: error instanceof Error ? error.message : String(error) }),
      )
      .finally(() => setBusy(false));
  };
  return (
    <div class="greetings">
      <button type="button" onClick={ask} disabled={busy}>
        <Icon name="search" />
        {busy ? 'Listening…' : 'Ask both what they say'}
        <span class="hidden"> about {name}</span>
      </button>
      <div role="status">
        {heard !== null && 'error' in heard ? <p class="error">{heard.error}</p> : null}
        {heard !== null && 'domus' in heard ? <Said domus={heard.domus} at={heard.at} /> : null}
      </div>
    </div>
  );
}

function Said({ domus, at }: { domus: readonly GreetingView[]; at: number }): JSX.Element {
  return (
    <dl class="said">
      {domus.map(({ domu, says }) => (
        <div key={domu}>
          <dt>
            {domu} <span class="sub">at {clock(at)}</span>
          </dt>
          {says.length === 0 ? <dd class="sub">it has no TCP port that could be asked</dd> : null}
          {says.map(({ endpoint, text, error }) => (
            <dd key={endpoint}>
              <span class="mono sub">{endpoint}</span>
              {text === null ? <em>{error}</em> : <q class="mono">{text}</q>}
            </dd>
          ))}
        </div>
      ))}
    </dl>
  );
}

import { useEffect, useRef, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import type { PreviewView, SwitchRequest, SwitchView } from '../../api/contract.ts';
import { ApiError, get } from '../state/api.ts';
import { lookAt } from '../state/follow.ts';
import { go } from '../state/route.ts';
import { change } from '../state/session.ts';
import { switching } from '../state/switching.ts';
import type { Asking } from '../state/switching.ts';
import { plural, sentence, shortList } from '../state/words.ts';
import { Dialog } from './dialog.tsx';
import { Icon } from './icon.tsx';
import { PreviewWords } from './preview-words.tsx';
import { SwitchChoices } from './switch-choices.tsx';
import type { Choices } from './switch-choices.tsx';

/** Milliseconds: what would happen changes while one thinks about it. */
const PREVIEW_EVERY = 2000;

export function SwitchDialog(): JSX.Element | null {
  const asking = switching.value;
  return asking === null ? null : <Preparing key={asking.services.join()} asking={asking} />;
}

type Previewed = { readonly preview: PreviewView } | { readonly error: ApiError } | null;

function Preparing({ asking }: { asking: Asking }): JSX.Element {
  const { services } = asking;
  const [choices, setChoices] = useState<Choices>({});
  const [force, setForce] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const reason = useRef<HTMLInputElement>(null);
  const previewed = usePreview(services, choices);
  const preview = previewed !== null && 'preview' in previewed ? previewed.preview : null;
  const close = (): void => void (switching.value = null);

  const refusals = preview?.refusals ?? [];
  const forceable = refusals.length > 0 && refusals.every((refusal) => refusal.forceable);
  const possible = preview !== null && (refusals.length === 0 || (forceable && force));

  const submit = (event: Event): void => {
    event.preventDefault();
    if (!possible || busy) return;
    setBusy(true);
    setFailure(null);
    const why = reason.current?.value.trim() ?? '';
    const order: SwitchRequest = {
      services: [...services],
      to: 'secondary',
      ...choices,
      ...(why === '' ? {} : { reason: why }),
      ...(force ? { force } : {}),
    };
    void carryOut(order, asking).then(close, (error: unknown) => {
      setBusy(false);
      setFailure(error instanceof ApiError ? error : new ApiError(0, String(error), null));
    });
  };

  return (
    <Dialog title={`Switch ${shortList(services)}`} close={close}>
      <form onSubmit={submit} class="switch-form">
        <PreviewWords previewed={previewed} />
        <SwitchChoices choices={choices} set={setChoices} preview={preview} />
        <label class="field">
          <span>Why, for the journal</span>
          <input ref={reason} type="text" maxLength={500} placeholder="such as: mail 2.0" />
        </label>
        {forceable ? (
          <label class="check warn-box">
            <input
              type="checkbox"
              checked={force}
              onChange={({ currentTarget }) => setForce(currentTarget.checked)}
            />
            <span>Switch all the same, although the target does not answer</span>
          </label>
        ) : null}
        <p class="error" role="alert">
          {failure === null
            ? null
            : `${sentence(failure.message)} ${sentence(failure.hint ?? '')}`.replace(/ \.$/, '')}
        </p>
        <div class="actions">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!possible || busy}>
            <Icon name="right" />
            {busy ? 'Moving everybody…' : goLabel(services, preview)}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function goLabel(services: readonly string[], preview: PreviewView | null): string {
  const [only, ...others] = preview?.services ?? [];
  if (only === undefined || others.length > 0) return `Move everybody, ${plural(services.length, 'service')}`;
  return `Move everybody to ${only.target}`;
}

async function carryOut(order: SwitchRequest, { services, done }: Asking): Promise<void> {
  await change<SwitchView>('POST', '/v1/switches', order);
  for (const name of services) lookAt(name);
  done();
  const [only, ...others] = services;
  if (only !== undefined && others.length === 0) go({ view: 'service', name: only });
  else go({ view: 'overview' });
}

function usePreview(services: readonly string[], choices: Choices): Previewed {
  const [previewed, setPreviewed] = useState<Previewed>(null);
  const query = new URLSearchParams({ services: services.join(','), to: 'secondary', ...choices }).toString();
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      try {
        const preview = await get<PreviewView>(`/v1/switches/preview?${query}`, abort.signal);
        if (!abort.signal.aborted) setPreviewed({ preview });
      } catch (error) {
        if (!abort.signal.aborted && error instanceof ApiError) setPreviewed({ error });
      }
      if (!abort.signal.aborted) timer = setTimeout(() => void look(), PREVIEW_EVERY);
    };
    void look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [query]);
  return previewed;
}

import { useRef, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { ApiError } from '../state/api.ts';
import { asked, signIn } from '../state/session.ts';
import { Dialog } from './dialog.tsx';

export function SignIn(): JSX.Element | null {
  const request = asked.value;
  if (request === null) return null;
  return <SignInDialog done={request.then} />;
}

function SignInDialog({ done }: { done: () => void }): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const [error, setError] = useState<string | null>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    void signIn(field.current?.value.trim() ?? '').then(
      () => {
        asked.value = null;
        done();
      },
      (reason: unknown) => {
        setError(sayWhy(reason));
        field.current?.focus();
      },
    );
  };
  return (
    <Dialog title="Sign in with a token" close={() => (asked.value = null)}>
      <form onSubmit={submit}>
        <p>
          Looking needs none; changing something does. The token stays in this tab, and the journal shows its
          name.
        </p>
        <label for="token">Token</label>
        <input
          id="token"
          ref={field}
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          autofocus
          aria-describedby="token-error"
        />
        <p id="token-error" class="error" role="alert">
          {error}
        </p>
        <div class="actions">
          <button type="button" onClick={() => (asked.value = null)}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Sign in
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function sayWhy(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  if (error.status !== 401) return error.message;
  return 'That token is none of those in the configuration. Whoever runs this host can add one under “tokens”.';
}

import { computed, signal } from '@preact/signals';
import type { SessionView } from '../../api/contract.ts';
import { ApiError, call } from './api.ts';
import { learnSkew } from './clock.ts';

/** In this tab's memory and nowhere else: never in an address, never for another tab. */
const KEY = 'token';

const token = signal<string | null>(sessionStorage.getItem(KEY));
export const session = signal<SessionView | null>(null);
/** Whether the caller may change things: it has signed in, or needs not. */
export const mayChange = computed(
  () => session.value !== null && (!session.value.needsToken || session.value.by !== null),
);
/** What is to be done once somebody has signed in; null: nobody was asked to. */
export const asked = signal<{ readonly then: () => void } | null>(null);

export async function learnSession(): Promise<void> {
  try {
    session.value = await call<SessionView>('GET', '/v1/session', { token: token.value });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    // The token was taken out of the configuration meanwhile.
    signOut();
    session.value = await call<SessionView>('GET', '/v1/session');
  }
  learnSkew(session.value.now);
}

/** Throws ApiError 401 for a token that is none. */
export async function signIn(secret: string): Promise<void> {
  session.value = await call<SessionView>('GET', '/v1/session', { token: secret });
  token.value = secret;
  sessionStorage.setItem(KEY, secret);
}

export function signOut(): void {
  token.value = null;
  sessionStorage.removeItem(KEY);
  if (session.value !== null) session.value = { ...session.value, by: null };
}

/** Does it at once where that is allowed, else after signing in. */
export function signedIn(then: () => void): void {
  if (mayChange.value) then();
  else asked.value = { then };
}

export async function change<T>(method: string, path: string, body?: unknown): Promise<T> {
  try {
    return await call<T>(method, path, { token: token.value, ...(body === undefined ? {} : { body }) });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) signOut();
    throw error;
  }
}

import type { Problem } from '../../api/contract.ts';

/** What the daemon said instead of doing it, in its own words; `status` 0: nobody answered. */
export class ApiError extends Error {
  readonly status: number;
  readonly hint: string | null;
  constructor(status: number, message: string, hint: string | null) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

/** Milliseconds; longer than any verb of the daemon may take. */
const PATIENCE = 30_000;

export async function call<T>(
  method: string,
  path: string,
  { body, token, signal }: { body?: unknown; token?: string | null; signal?: AbortSignal } = {},
): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (token != null) headers['authorization'] = `Bearer ${token}`;
  // The same try, repeated by the browser, is done once.
  if (method === 'POST') headers['idempotency-key'] = randomKey();
  const answer = await fetch(path, {
    method,
    headers,
    cache: 'no-store',
    credentials: 'omit',
    signal: signal ?? AbortSignal.timeout(PATIENCE),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    throw new ApiError(0, 'The director does not answer.', textOf(error));
  });
  if (!answer.ok) throw await refusal(answer);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const get = <T>(path: string, signal?: AbortSignal): Promise<T> =>
  call<T>('GET', path, signal === undefined ? {} : { signal });

async function refusal(answer: Response): Promise<ApiError> {
  const problem = (await answer.json().catch(() => null)) as Partial<Problem> | null;
  const faults = (problem?.errors ?? []).map(({ path, message }) => `${path} ${message}`);
  const text = [problem?.detail ?? `The answer was ${answer.status}`, ...faults].join('; ');
  return new ApiError(answer.status, text, problem?.hint ?? null);
}

const textOf = (error: unknown): string | null =>
  error instanceof DOMException && error.name === 'TimeoutError' ? 'It did not within 30 seconds.' : null;

/** `crypto.randomUUID` is missing where a page is neither on loopback nor encrypted. */
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

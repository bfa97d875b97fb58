import { messageOf } from '../lib/errors.ts';
import type { Target } from './client.ts';
import { EXIT, Failure } from './failure.ts';

/** A connection that stood, and ended before the answer was whole. */
export class Broken extends Error {
  /** Whether a second try may do better. */
  readonly retry: boolean;

  constructor(cause: unknown, retry = true) {
    super(messageOf(cause), { cause });
    this.retry = retry;
  }
}

export function describeTarget(target: Target): string {
  return target.kind === 'socket' ? target.path : target.url.href;
}

/** No connection came about: the exit code is 3. */
export function unreached(target: Target, error: NodeJS.ErrnoException): Failure {
  const what = error.name === 'AbortError' ? 'it did not answer in time' : error.message;
  return new Failure(EXIT.unreached, {
    detail: `No daemon reached at ${describeTarget(target)}: ${reasons[error.code ?? ''] ?? what}.`,
    hint: hintOf(target, error.code),
  });
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket',
  ENOTDIR: 'there is no such socket',
  ECONNREFUSED: 'nobody listens there',
  EACCES: 'you may not use this socket',
  EPERM: 'you may not use this socket',
  ENOTFOUND: 'the name is not known',
  EINVAL: 'this is no path of a socket (Linux takes at most 107 bytes)',
};

function hintOf(target: Target, code: string | undefined): string {
  if (target.kind === 'url') return 'Is the daemon configured to listen there (listen.http)?';
  if (code === 'EACCES' || code === 'EPERM') {
    return `Become root, or a member of the socket's group: ls -l ${target.path}`;
  }
  // Somebody tidied up below it: it runs, and nobody reaches it.
  if (code === 'ENOENT') {
    return (
      'Is it running? See: systemctl status dom0-director. If it is, its socket was removed, or is another: give that ' +
      'one with --socket PATH or $DIRECTOR_SOCKET. A restart makes the socket anew and disturbs no traffic.'
    );
  }
  return (
    'Is it running? See: systemctl status dom0-director. ' +
    'Another socket is given with --socket PATH or $DIRECTOR_SOCKET.'
  );
}

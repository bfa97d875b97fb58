import { userInfo } from 'node:os';
import { DEFAULT_SOCKET } from '../api/contract.ts';
import type { Target } from './client.ts';

export interface GlobalOptions {
  readonly socket?: string;
  readonly url?: URL;
  readonly token?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

export function targetOf(options: GlobalOptions, env: NodeJS.ProcessEnv): Target {
  if (options.url !== undefined) return { kind: 'url', url: options.url };
  const fromEnv = env.DIRECTOR_SOCKET === '' ? undefined : env.DIRECTOR_SOCKET;
  return { kind: 'socket', path: options.socket ?? fromEnv ?? DEFAULT_SOCKET };
}

const USER_NAME = /^[a-z_][a-z0-9_-]{0,31}$/;

/** Who asks, for the journal: under sudo the one who called it. Null where the system has no name for this user. */
export function userOf(env: NodeJS.ProcessEnv): string | null {
  const name = process.getuid?.() === 0 && env.SUDO_USER !== undefined ? env.SUDO_USER : systemUser();
  return name !== null && USER_NAME.test(name) ? name : null;
}

function systemUser(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}

import picocolors from 'picocolors';
import type { Output } from './io.ts';

export type Colors = ReturnType<typeof picocolors.createColors>;

export interface Glyphs {
  readonly healthy: string;
  readonly degraded: string;
  readonly unhealthy: string;
  readonly unknown: string;
  readonly micro: string;
  readonly ellipsis: string;
  readonly branch: string;
}

const UNICODE: Glyphs = {
  healthy: '✓',
  degraded: '!',
  unhealthy: '✗',
  unknown: '?',
  micro: 'µs',
  ellipsis: '…',
  branch: '└',
};
const ASCII: Glyphs = {
  healthy: '+',
  degraded: '!',
  unhealthy: 'x',
  unknown: '?',
  micro: 'us',
  ellipsis: '~',
  branch: '`-',
};

/** How text looks on one output. */
export interface Look {
  readonly colors: Colors;
  readonly glyphs: Glyphs;
  readonly tty: boolean;
  /** Columns to keep within; Infinity where nobody looks at a terminal, so that a line stays a line for grep. */
  readonly width: number;
}

const NARROWEST = 40;

export function lookOf(output: Output, env: NodeJS.ProcessEnv, color: boolean | undefined): Look {
  const tty = output.isTTY === true;
  return {
    colors: picocolors.createColors(wantsColor(tty, env, color)),
    glyphs: speaksUnicode(env) ? UNICODE : ASCII,
    tty,
    width: tty ? Math.max(output.columns ?? 80, NARROWEST) : Infinity,
  };
}

/** What was asked for on the command line, then NO_COLOR (no-color.org), then FORCE_COLOR, then whether it is a terminal. */
export function wantsColor(tty: boolean, env: NodeJS.ProcessEnv, asked: boolean | undefined): boolean {
  if (asked !== undefined) return asked;
  if ((env.NO_COLOR ?? '') !== '') return false;
  if ((env.FORCE_COLOR ?? '') !== '') return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return tty && env.TERM !== 'dumb';
}

/** POSIX: the first of these that is set and not empty decides. `C.UTF-8` is Unicode, `C` is not. */
function speaksUnicode(env: NodeJS.ProcessEnv): boolean {
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== '');
  if (locale === undefined) return true;
  const [name = '', charset] = locale.split('@')[0]?.split('.') ?? [];
  return charset === undefined ? name !== 'C' && name !== 'POSIX' : /^utf-?8$/i.test(charset);
}

import type { Fault } from '../lib/errors.ts';

export type Path = readonly (string | number)[];

/** A fault that still knows its path as steps, so that its line can be found. */
export interface Problem {
  readonly at: Path;
  readonly message: string;
  /** The name of the last step is wrong, not what stands under it. */
  readonly key?: true;
}

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** `services.mail.ports[2]`; a key that is no plain word is written `["a key"]`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    if (!PLAIN_KEY.test(step)) return `${text}[${JSON.stringify(step)}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

export function toFault({ at, message }: Problem): Fault {
  return { path: formatPath(at), message };
}

/** The same problems, seen from further up. */
export function under(prefix: Path, problems: readonly Problem[]): Problem[] {
  return problems.map((problem) => ({ ...problem, at: [...prefix, ...problem.at] }));
}

import type { Problem } from '../api/contract.ts';
import { DirectorError } from '../lib/errors.ts';

/** The exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2, unreached: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** RFC 9457; without `status` where no daemon answered. */
export type CliProblem = Omit<Problem, 'status'> & { readonly status?: number };

/** A command ends here: with this exit code, and this on standard error. */
export class Failure extends DirectorError {
  override readonly name = 'Failure';
  readonly exit: ExitCode;
  readonly problem: CliProblem;
  /** The problem as the daemon sent it, for `--json`. */
  readonly raw: unknown;

  constructor(exit: ExitCode, problem: Partial<CliProblem> & { detail: string }, raw?: unknown) {
    super(problem.detail, problem.hint === undefined ? {} : { hint: problem.hint });
    this.exit = exit;
    const { type = 'about:blank', title = TITLES[exit], errors = [], detail, ...more } = problem;
    this.problem = { type, title, detail, errors, ...more };
    this.raw = raw ?? this.problem;
  }
}

const TITLES: Readonly<Record<ExitCode, string>> = {
  0: 'Done',
  1: 'Failed',
  2: 'Bad usage',
  3: 'No daemon reached',
};

export function failed(
  detail: string,
  more: { hint?: string; errors?: Problem['errors']; title?: string } = {},
): Failure {
  return new Failure(EXIT.failed, { detail, ...more });
}

export function misused(detail: string, hint?: string): Failure {
  return new Failure(EXIT.usage, hint === undefined ? { detail } : { detail, hint });
}

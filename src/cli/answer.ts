import type { z } from 'zod';
import { problem } from '../api/contract.ts';
import { clean, cleanDeep } from './clean.ts';
import type { Method, Target } from './client.ts';
import { EXIT, Failure, failed } from './failure.ts';
import type { CliProblem } from './failure.ts';
import { describeTarget } from './unreached.ts';

/** What the daemon answered. Nothing is parsed before somebody asks. */
export class Answer {
  readonly status: number;
  readonly text: string;
  readonly #call: string;
  readonly #target: Target;

  constructor(status: number, text: string, method: Method, path: string, target: Target) {
    this.status = status;
    this.text = text;
    this.#call = `${method} ${path}`;
    this.#target = target;
  }

  /** The API's own JSON; undefined where the answer has no body. */
  raw(): unknown {
    if (this.text === '') return undefined;
    try {
      return JSON.parse(this.text) as unknown;
    } catch {
      throw failed(`The answer to ${this.#call} is not JSON: "${excerpt(this.text)}".`, {
        hint: `Is it dom0-director that listens at ${describeTarget(this.#target)}?`,
      });
    }
  }

  /** As the contract has it, keys that it does not know left out; strings are safe to print. */
  as<Schema extends z.ZodType>(schema: Schema, options: { keepLines?: boolean } = {}): z.output<Schema> {
    const parsed = schema.safeParse(cleanDeep(this.raw() ?? null, options.keepLines));
    if (parsed.success) return parsed.data;
    throw failed(`The answer to ${this.#call} is not what this version of the command line understands.`, {
      errors: parsed.error.issues.slice(0, 5).map((issue) => ({
        path: issue.path.map(String).join('.'),
        message: issue.message,
      })),
      hint: 'Are the daemon and the command line of the same version? --json prints the answer as it is.',
    });
  }
}

const lenientProblem = problem.partial();

/** What the daemon said when it refused or failed. */
export function refusalOf(answer: Answer, target: Target): Failure {
  const raw = problemJson(answer);
  const parsed = lenientProblem.safeParse(cleanDeep(raw));
  if (!parsed.success || (parsed.data.detail ?? parsed.data.title) === undefined) {
    return failed(`The daemon answered with status ${answer.status}: "${excerpt(answer.text)}".`, {
      hint: `Is it dom0-director that listens at ${describeTarget(target)}?`,
    });
  }
  const { data } = parsed;
  return new Failure(EXIT.failed, withHint(given(data), answer.status), raw);
}

function given(data: z.output<typeof lenientProblem>): CliProblem {
  const { type = 'about:blank', title = 'Refused', detail = title, errors = [], status, hint } = data;
  return {
    type,
    title,
    detail,
    errors,
    ...(status === undefined ? {} : { status }),
    ...(hint === undefined ? {} : { hint }),
  };
}

function withHint(problem: CliProblem, status: number): CliProblem {
  if (problem.hint !== undefined || status !== 401) return problem;
  return { ...problem, hint: 'Give a token with --token or $DIRECTOR_TOKEN.' };
}

function problemJson(answer: Answer): unknown {
  try {
    return JSON.parse(answer.text) as unknown;
  } catch {
    return null;
  }
}

const excerpt = (text: string): string => clean(text).trim().slice(0, 120);

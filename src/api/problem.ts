import { STATUS_CODES } from 'node:http';
import { DirectorError, KernelError, Refusal } from '../lib/errors.ts';
import type { Fault, RefusalKind } from '../lib/errors.ts';
import type { Problem } from './contract.ts';
import { faultsOf } from './faults.ts';
import type { Issue } from './faults.ts';
import { HttpError } from './http-error.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** An error as HTTP tells it. `internal`: nobody foresaw it; the log must have all of it, the client none. */
export interface ProblemAnswer {
  readonly status: number;
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;
  readonly internal: boolean;
}

const STATUS_OF_REFUSAL: Readonly<Record<RefusalKind, number>> = {
  invalid: 400,
  unknown: 404,
  conflict: 409,
  stale: 412,
  unprocessable: 422,
  unavailable: 503,
};

/** fastify's own refusals, said in our words. Those that are not here keep fastify's. */
const FASTIFY_SAYS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'the body is larger than 1 MiB, which no call needs',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'a body is sent as application/json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body is not valid JSON',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'the body ended before, or after, the length that was announced',
  FST_ERR_BAD_URL: 'the URL is not validly percent-encoded',
  FST_ERR_MAX_PARAM_LENGTH: 'a part of the URL is longer than any name here',
};

export function problemOf(error: unknown, requestId = '-'): ProblemAnswer {
  if (error instanceof Refusal) return refusalProblem(error);
  if (error instanceof HttpError)
    return { ...answer(error.status, error.message, [], error.hint), headers: error.headers };
  if (error instanceof KernelError) return kernelProblem(error);
  // What the rest of the director says has gone wrong was foreseen, and is for whoever asked.
  if (error instanceof DirectorError) return answer(503, error.message, [], error.hint);
  return fastifyProblem(error) ?? internalProblem(requestId);
}

function refusalProblem(error: Refusal): ProblemAnswer {
  return answer(STATUS_OF_REFUSAL[error.kind], error.message, error.faults, error.hint);
}

function kernelProblem(error: KernelError): ProblemAnswer {
  const said = answer(503, error.message, [], error.hint);
  return { ...said, problem: { ...said.problem, code: error.code } };
}

interface FastifyRefusal {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly message: string;
  readonly validation?: readonly Issue[];
  readonly validationContext?: string;
}

function fastifyProblem(error: unknown): ProblemAnswer | null {
  if (!(error instanceof Error)) return null;
  const { code, statusCode, message, validation, validationContext } = error as Error & FastifyRefusal;
  if (validation !== undefined) {
    const faults = faultsOf(validation, validationContext);
    return answer(
      400,
      `the request is wrong in ${faults.length} place${faults.length === 1 ? '' : 's'}`,
      faults,
    );
  }
  if (typeof code !== 'string' || !code.startsWith('FST_')) return null;
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499) return null;
  return answer(statusCode, FASTIFY_SAYS[code] ?? message, []);
}

function internalProblem(requestId: string): ProblemAnswer {
  const detail = `the director failed in a way that nobody foresaw; its log has it under "${requestId}"`;
  return { ...answer(500, detail, []), internal: true };
}

function answer(status: number, detail: string, faults: readonly Fault[], hint?: string): ProblemAnswer {
  const title = STATUS_CODES[status] ?? 'Error';
  const problem: Problem = {
    type: 'about:blank',
    title,
    status,
    detail,
    ...(hint === undefined ? {} : { hint }),
    errors: faults.map((fault) => ({ ...fault })),
  };
  return { status, problem, headers: {}, internal: false };
}

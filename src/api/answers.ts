import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { problem } from './contract.ts';
import { PROBLEM_TYPE } from './problem.ts';

/** For a route's `schema.response`: what its answers are, for OpenAPI and for the compiler. */
export const json = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  description,
  content: { 'application/json': { schema } },
});

export const empty = (description: string) => z.undefined().describe(description);

/** The problems that a route may answer with; to the compiler nothing, since handlers throw them. */
export function problems(...statuses: readonly number[]): object {
  return Object.fromEntries(statuses.map((status) => [status, problemAnswer(status)]));
}

const problemAnswer = (status: number) => ({
  description: `${STATUS_CODES[status] ?? status}: ${MEANING[status] ?? 'see the problem'}`,
  content: { [PROBLEM_TYPE]: { schema: problem } },
});

const MEANING: Readonly<Record<number, string>> = {
  400: 'something in the request is wrong; one errors[] entry for each fault',
  401: 'over the network, changing something needs a token',
  403: 'only over the unix socket',
  404: 'there is nothing of that name',
  409: 'what the service is in the middle of does not allow it',
  412: 'If-Match is stale: somebody changed it',
  415: 'a body is sent as application/json',
  422: 'well formed, but cannot be',
  500: 'nobody foresaw it; the log has it',
  503: 'the kernel refused, or the director is not ready; the detail has what was said',
};

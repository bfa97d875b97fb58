import type { Fault } from '../lib/errors.ts';

/** What fastify-type-provider-zod makes of one zod issue. */
export interface Issue {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message?: string | undefined;
  readonly params: Readonly<Record<string, unknown>>;
}

interface NestedIssue {
  readonly message: string;
}

/** One fault for each thing that is wrong; an unknown key is one of its own. Paths: see `pathOf`. */
export function faultsOf(issues: readonly Issue[], part: string | undefined): Fault[] {
  return issues.flatMap((issue) => {
    const keys = issue.keyword === 'unrecognized_keys' ? stringsIn(issue.params.keys) : [];
    if (keys.length === 0) return [{ path: pathOf(issue.instancePath, part), message: messageOf(issue) }];
    const parent = issue.instancePath.replace(/\/$/, '');
    return keys.map((key) => ({ path: pathOf(`${parent}/${key}`, part), message: 'is not known here' }));
  });
}

/** `/services/0` in a body (RFC 6901), `?limit` in the query, `{name}` in the path. */
function pathOf(pointer: string, part: string | undefined): string {
  if (part === 'querystring') return `?${pointer.slice(1)}`;
  return part === 'params' ? `{${pointer.slice(1)}}` : pointer;
}

function messageOf({ keyword, instancePath, message = 'is wrong', params }: Issue): string {
  if (instancePath === '/' && keyword === 'invalid_type') return `a JSON object is needed here (${message})`;
  return keyword === 'invalid_union' ? unionMessage(params.errors, message) : message;
}

/** zod says only "Invalid input" of a union: what each of its branches would have wanted is in `errors`. */
function unionMessage(branches: unknown, otherwise: string): string {
  if (!Array.isArray(branches)) return otherwise;
  const wanted = (branches as NestedIssue[][]).flatMap((issues) => issues.map((issue) => issue.message));
  return [...new Set(wanted)].join('; or ') || otherwise;
}

const stringsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

import type { z } from 'zod';
import type { Path, Problem } from './problem.ts';
import { isMapping } from './words.ts';

export interface Fields<Schema extends z.ZodObject> {
  /** All of it, where nothing is wrong. */
  readonly complete: z.output<Schema> | null;
  /** What is right of it, so that what is wrong elsewhere does not keep it from being checked further. */
  readonly sound: Partial<z.output<Schema>>;
  readonly problems: readonly Problem[];
}

/** Reads a mapping field by field. */
export function parseFields<Schema extends z.ZodObject>(schema: Schema, input: unknown): Fields<Schema> {
  const result = schema.safeParse(input);
  if (result.success) {
    return { complete: result.data, sound: result.data, problems: [] };
  }
  const problems = result.error.issues.flatMap((issue) => toProblems(issue, []));
  return { complete: null, sound: soundFields(schema, input), problems };
}

function soundFields<Schema extends z.ZodObject>(schema: Schema, input: unknown): Partial<z.output<Schema>> {
  if (!isMapping(input)) return {};
  const sound: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(schema.shape)) {
    const result = (field as z.ZodType).safeParse(input[key]);
    if (result.success) sound[key] = result.data;
  }
  return sound as Partial<z.output<Schema>>;
}

function toProblems(issue: z.core.$ZodIssue, above: Path): Problem[] {
  const at = [...above, ...steps(issue.path)];
  if (issue.code === 'unrecognized_keys') {
    return issue.message
      .split('\n')
      .map((message, i) => ({ at: [...at, issue.keys[i] ?? ''], message, key: true as const }));
  }
  if (issue.code !== 'invalid_union') return [{ at, message: issue.message }];
  return meantBranch(issue.errors).flatMap((branch) => toProblems(branch, at));
}

/** Of a choice of kinds, the one that the value is of; the first where it is of none. */
function meantBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] {
  const ofKind = branches.find((issues) =>
    issues.every(({ code, path }) => code !== 'invalid_type' || path.length > 0),
  );
  return ofKind ?? branches[0] ?? [];
}

function steps(path: readonly PropertyKey[]): Path {
  return path.map((step) => (typeof step === 'number' ? step : String(step)));
}

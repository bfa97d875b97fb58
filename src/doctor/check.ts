import { KernelError, messageOf } from '../lib/errors.ts';
import type { CheckName, Finding, Verdict } from './finding.ts';
import { unknown } from './finding.ts';
import type { Ground } from './ground.ts';

/** Looking and judging are apart: what is judged is a plain value. */
export interface Check {
  readonly name: CheckName;
  examine(ground: Ground): Promise<Finding[]>;
}

export function check<Seen>(
  name: CheckName,
  look: (ground: Ground) => Promise<Seen> | Seen,
  judge: (seen: Seen) => readonly Verdict[],
): Check {
  return {
    name,
    examine: async (ground) => judge(await look(ground)).map((verdict) => ({ check: name, ...verdict })),
  };
}

/** All of what they find, in this order. A check that cannot look says so, and stops no other. */
export async function examine(checks: readonly Check[], ground: Ground): Promise<Finding[]> {
  const found = await Promise.all(
    checks.map((each) => each.examine(ground).catch((error: unknown) => [blind(each.name, error)])),
  );
  return found.flat();
}

function blind(check: CheckName, error: unknown): Finding {
  const forbidden = error instanceof KernelError && error.code === 'EPERM';
  const command = forbidden ? 'sudo director doctor' : null;
  return { check, ...unknown(`${check} could not be looked at`, messageOf(error), command) };
}

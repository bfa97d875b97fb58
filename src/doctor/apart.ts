import { KernelError, messageOf } from '../lib/errors.ts';
import { inTurns } from '../lib/turn.ts';
import { run } from '../lib/run.ts';
import { unknown } from './finding.ts';
import type { Finding } from './finding.ts';
import type { Subject } from './ground.ts';

/** Milliseconds. Asking thousands of bridges takes its time. */
const TIMEOUT = 300_000;

interface Apart {
  /** What is run: it is given the subject and answers the findings, see examine-here.ts. */
  readonly argv: readonly [string, ...string[]];
  readonly signal: AbortSignal;
}

/**
 * Has another process look: reading thousands of rules and links would make everybody else wait who wants something of
 * this one. Never rejects: one that fails is a finding.
 */
export async function examineApart(
  { services, ...host }: Subject,
  { argv: [command, ...argv], signal }: Apart,
): Promise<Finding[]> {
  try {
    const lines = await inTurns([host, ...services], (part) => JSON.stringify(part));
    const stdin = lines.join('\n');
    const { status, stdout, stderr } = await run(command, argv, { stdin, signal, timeout: TIMEOUT });
    if (status !== 0) throw new KernelError(`it ended with ${status}: ${stderr.trim()}`);
    return JSON.parse(stdout) as Finding[];
  } catch (error) {
    const why = `a process that should have done it failed: ${messageOf(error)}`;
    return [{ check: 'doctor', ...unknown('the host could not be looked at', why, 'director doctor') }];
  }
}

/** What `examineApart` has written. */
export function parseSubject(text: string): Subject {
  const [host = '', ...services] = text.split('\n');
  return {
    ...(JSON.parse(host) as Omit<Subject, 'services'>),
    services: services.map((line) => JSON.parse(line) as Subject['services'][number]),
  };
}

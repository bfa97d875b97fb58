import { execFile } from 'node:child_process';
import type { ExecFileException } from 'node:child_process';
import { Refusal } from '../lib/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { CpuBaseline } from './report.ts';

/** A quiet machine takes a quarter of a second; one that is busy lets it wait, for it is of low priority. */
const PATIENCE = 20_000;
/** Fewer packets than this do not make a mean. */
const ENOUGH = 200;

/** Measures what a plain bridge takes, in private network namespaces. Refusal with the reason where it cannot. */
export async function measureBaseline(
  helper: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<CpuBaseline> {
  const { stdout, problem } = await runHelper(helper, signal);
  const match = /^small (\d+) (\d+) bulk (\d+) (\d+)$/m.exec(stdout);
  const [smallNanos = 0, small = 0, bulkNanos = 0, bulk = 0] = (match ?? []).slice(1).map(Number);
  if (match === null || small < ENOUGH || bulk < ENOUGH) {
    const reason = /^failed (.*)$/m.exec(stdout)?.[1] ?? problem ?? 'too few packets were timed';
    throw new Refusal('unavailable', `a plain bridge could not be measured: ${reason}`);
  }
  return { smallNanos, bulkNanos, measuredAt: new Date(clock.now()).toISOString(), measured: true };
}

function runHelper(helper: string, signal: AbortSignal): Promise<{ stdout: string; problem: string | null }> {
  return new Promise((resolve) => {
    const options = { timeout: PATIENCE, killSignal: 'SIGKILL', env: {}, signal } as const;
    execFile(helper, ['baseline'], options, (error, stdout) =>
      resolve({ stdout, problem: error === null ? null : reasonOf(error) }),
    );
  });
}

/** A program that was killed has said nothing of why. */
const reasonOf = (error: ExecFileException): string =>
  error.killed === true ? `it was not done within ${PATIENCE / 1000} s` : error.message;

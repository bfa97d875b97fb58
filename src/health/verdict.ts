import type { HealthReport, HealthStatus } from '../model/records.ts';
import { formatEndpoint } from './endpoints.ts';
import type { Endpoint } from './connect.ts';

/** One endpoint's outcome; `failure` is null where it accepted. */
export interface Outcome {
  readonly endpoint: Endpoint;
  readonly failure: string | null;
}

export interface Verdict {
  readonly status: HealthStatus;
  readonly reason: string | null;
}

/** What one look at a DomU says. All accept: healthy; some: degraded; none: unhealthy. */
export function judge(outcomes: readonly Outcome[]): Verdict {
  const failed = outcomes.filter((outcome) => outcome.failure !== null);
  if (outcomes.length === 0) return { status: 'unknown', reason: 'the service has no TCP port to probe' };
  if (failed.length === 0) return { status: 'healthy', reason: null };
  return { status: failed.length === outcomes.length ? 'unhealthy' : 'degraded', reason: reasonOf(failed) };
}

/** `10.50.0.3:25: connection refused; [fd00:50::3]:25: no answer within 1000 ms` */
const reasonOf = (failed: readonly Outcome[]): string =>
  failed.map(({ endpoint, failure }) => `${formatEndpoint(endpoint)}: ${failure ?? ''}`).join('; ');

const RANK: Readonly<Record<HealthStatus, number>> = { unhealthy: 0, degraded: 1, healthy: 2, unknown: 3 };
const PROBES_TO_FAIL = 2;

/** What is believed of a DomU, and how many looks in a row were not healthy. */
export interface Belief {
  readonly report: HealthReport;
  readonly failures: number;
}

export const UNKNOWN: Belief = {
  report: { status: 'unknown', reason: 'not probed yet', since: null },
  failures: 0,
};

/**
 * A healthy look is believed at once, and so is one that is no worse than what is believed; a worse one only when the
 * look before was not healthy either: one lost packet does not make a DomU unhealthy.
 */
export function learn(belief: Belief, verdict: Verdict, now: number): Belief {
  const failures = verdict.status === 'healthy' ? 0 : belief.failures + 1;
  const worse = verdict.status !== 'healthy' && RANK[verdict.status] < RANK[belief.report.status];
  if (worse && failures < PROBES_TO_FAIL) return { ...belief, failures };
  return { report: reportOf(belief.report, verdict, now), failures };
}

/** Believed at once, whatever it says: somebody asked for the truth of now. */
export function believe(belief: Belief, verdict: Verdict, now: number): Belief {
  const failures = verdict.status === 'healthy' ? 0 : PROBES_TO_FAIL;
  return { report: reportOf(belief.report, verdict, now), failures };
}

function reportOf(before: HealthReport, { status, reason }: Verdict, now: number): HealthReport {
  return { status, reason, since: before.status === status ? (before.since ?? now) : now };
}

import type { Finding } from '../doctor/finding.ts';
import type { Traffic } from '../kernel/kernel.ts';
import type { CpuReport } from '../meter/report.ts';
import type { DomainReport, JournalKind } from '../model/records.ts';
import type { Role } from '../model/state.ts';

/** What is rendered at a scrape: plain values of one moment. Points in time are milliseconds since the epoch. */
export interface MetricsSnapshot {
  readonly ready: boolean;
  /** The disk took what was last written. */
  readonly writable: boolean;
  /** The host's conntrack table; null where the kernel does not tell. */
  readonly conntrack: { readonly entries: number; readonly limit: number } | null;
  /** What the host's last examination found; null before the first. */
  readonly doctor: readonly Finding[] | null;
  /** Xen tells how the DomUs are; null where there is none. */
  readonly xenAnswers: boolean | null;
  readonly services: readonly ServiceMetrics[];
  /** Null where nothing measures. */
  readonly cpu: CpuReport | null;
}

/** Of what happened to a service, that which a graph should show. */
export const MARKED = [
  'switch',
  'confirm',
  'rollback',
  'expire',
  'fail',
  'drained',
  'hold',
  'release',
] as const satisfies readonly JournalKind[];
export type Marked = (typeof MARKED)[number];

export interface ServiceMetrics {
  readonly name: string;
  readonly live: Role;
  /** In trial or not; the deadline is null where there is none. */
  readonly trial: boolean;
  readonly trialDeadline: number | null;
  readonly testing: boolean;
  readonly held: boolean;
  readonly testers: number;
  /** Since when the longest-standing tester has been one; null without testers. */
  readonly oldestTester: number | null;
  /** See DarkWatch. */
  readonly misdirected: number;
  /** What is still open on the DomU that was live before; null where testers' connections cannot be told from it. */
  readonly draining: { readonly domu: string; readonly flows: number } | null;
  /** When that is cut; null: at no time. */
  readonly drainUntil: number | null;
  /** When each of these happened last, since the director started. */
  readonly marked: ReadonlyMap<Marked, number>;
  readonly domus: readonly DomuMetrics[];
}

export interface DomuMetrics {
  readonly domu: string;
  readonly role: Role;
  /** Null where it is not known. */
  readonly healthy: boolean | null;
  /** Null where there is no Xen. */
  readonly domain: DomainReport | null;
  readonly flows: number;
  /** By the counters of sets; null where the kernel does not count. Towards the DomU. */
  readonly in: Traffic | null;
  /** From the DomU. */
  readonly out: Traffic | null;
  /** Connections that were directed to it. */
  readonly opened: number | null;
  readonly resets: number | null;
  readonly refused: number | null;
}

import type { Traffic } from '../kernel/kernel.ts';
import type { Role } from '../model/state.ts';

/** What the per-service series are made of: plain values of one moment. */
export interface MetricsSnapshot {
  readonly ready: boolean;
  readonly services: readonly ServiceMetrics[];
}

export interface ServiceMetrics {
  readonly name: string;
  readonly live: Role;
  /** In trial or not; the deadline is in milliseconds since the epoch, null where there is none. */
  readonly trial: boolean;
  readonly trialDeadline: number | null;
  readonly testing: boolean;
  readonly held: boolean;
  readonly testers: number;
  readonly domus: readonly DomuMetrics[];
}

export interface DomuMetrics {
  readonly domu: string;
  readonly role: Role;
  /** Null where it is not known. */
  readonly healthy: boolean | null;
  readonly flows: number;
  /** Towards the DomU; null where the kernel does not count. */
  readonly in: Traffic | null;
  /** From the DomU. */
  readonly out: Traffic | null;
}

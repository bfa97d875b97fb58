import type { Connections } from './service.ts';
import type { Role, ServiceState, Slot } from './state.ts';

/** Points in time in records are milliseconds since the epoch; null is "never" or "not yet". */
export type SwitchState = 'trial' | 'confirmed' | 'rolled-back' | 'expired' | 'failed';

export interface SwitchRecord {
  readonly id: string;
  readonly services: readonly string[];
  readonly to: Role;
  readonly state: SwitchState;
  readonly requestedAt: number;
  readonly committedAt: number | null;
  readonly confirmBy: number | null;
  readonly endedAt: number | null;
  readonly connections: Connections;
  /** Milliseconds that old connections may stay after each flip; null: until they end. */
  readonly drainFor: number | null;
  readonly drainUntil: number | null;
  /** Where old connections are, by service: the slot that was live before the last flip. */
  readonly draining: Readonly<Record<string, Slot>>;
  readonly flipMicros: number | null;
  readonly familySkewMicros: number | null;
  readonly kept: number;
  readonly cut: number;
  readonly udpFlushed: number;
  readonly by: string;
  readonly reason: string | null;
  readonly error: string | null;
}

export type JournalKind =
  | 'start'
  | 'stop'
  | 'switch'
  | 'confirm'
  | 'rollback'
  | 'expire'
  | 'fail'
  | 'drained'
  | 'hold'
  | 'release'
  | 'tester-add'
  | 'tester-remove'
  | 'tester-expire'
  | 'testing'
  | 'define'
  | 'remove'
  | 'reload'
  | 'repair'
  | 'domu'
  | 'stage'
  | 'staged'
  | 'stage-fail'
  | 'unstage'
  | 'prune'
  | 'destroy'
  | 'error';

export interface JournalRecord {
  readonly id: number;
  readonly at: number;
  readonly kind: JournalKind;
  readonly services: readonly string[];
  readonly by: string;
  /** What happened, in a sentence. */
  readonly text: string;
  readonly why: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy' | 'unknown';

export interface HealthReport {
  readonly status: HealthStatus;
  readonly reason: string | null;
  /** When it became so. */
  readonly since: number | null;
}

/** `absent`: there is no domain of this name. */
export const DOMAIN_STATES = ['running', 'paused', 'crashed', 'shutdown', 'absent'] as const;
export type DomainState = (typeof DOMAIN_STATES)[number];

/** What Xen says of a DomU. */
export interface DomainReport {
  /** The domain's name, by which it is found. */
  readonly name: string;
  /** `unknown`: Xen does not answer now. */
  readonly state: DomainState | 'unknown';
  /** Another one after each start; null where there is none. */
  readonly domid: number | null;
  /** When it became so, as far as anybody saw. */
  readonly since: number | null;
}

/** TCP connections of a service that were opened before a flip, and stay on the DomU that is dark since. */
export interface Drain {
  readonly flows: number;
  /** When they are cut; null: they stay until they end. */
  readonly until: number | null;
}

/** Everything that is known of one service now. */
export interface ServiceSnapshot {
  readonly state: ServiceState;
  readonly generation: number;
  readonly source: 'file' | 'api';
  readonly activeSwitch: SwitchRecord | null;
  readonly health: Readonly<Record<Slot, HealthReport>>;
  /** What Xen says of each; null where there is no Xen, or nobody has looked yet. */
  readonly domains: Readonly<Record<Slot, DomainReport | null>>;
  readonly flows: Readonly<Record<Slot, number>>;
  /** null where nothing is left to drain. */
  readonly drain: Drain | null;
}

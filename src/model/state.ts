import type { Network } from './address.ts';
import type { Domu, Service } from './service.ts';

export type Role = 'primary' | 'secondary';
export type Phase = 'settled' | 'trial';
export type Testing = 'open' | 'closed';

/**
 * A DomU's place in the kernel: its chain `DIR-<service>.<slot>` and its bit of the mark.
 * It stays with the DomU's name for as long as the service has it, whatever its role becomes.
 */
export type Slot = 'a' | 'b';
export const otherSlot = (slot: Slot): Slot => (slot === 'a' ? 'b' : 'a');
export const otherRole = (role: Role): Role => (role === 'primary' ? 'secondary' : 'primary');

/** Points in time are milliseconds since the epoch; null is "never". */
export interface Tester {
  readonly source: Network;
  readonly kind: 'permanent' | 'leased';
  readonly expiresAt: number | null;
  readonly note: string | null;
}

export interface Trial {
  readonly switchId: string;
  readonly confirmBy: number | null;
}

/** All that decides what the kernel should hold for one service. */
export interface ServiceState {
  readonly service: Service;
  /** Number of the service in the conntrack mark, 1 and up; never reused while flows may carry it. */
  readonly id: number;
  /** Where each DomU of `service.domus` sits; with the vifs that it has now, where somebody knows them better. */
  readonly slots: Readonly<Record<Slot, Domu>>;
  readonly primary: Slot;
  readonly testing: Testing;
  readonly testers: readonly Tester[];
  /** Set while the secondary is live and nobody has confirmed it. */
  readonly trial: Trial | null;
  readonly heldUntil: number | null;
  /**
   * During a confirm: everybody goes to the live DomU by rule alone, whatever the sets say,
   * so that the sets can be emptied and the roles exchanged without moving a packet.
   */
  readonly pinned: boolean;
}

export interface DirectorState {
  readonly uplink: string | null;
  /** Which part of the conntrack mark is ours, contiguous ones. */
  readonly markMask: number;
  readonly services: readonly ServiceState[];
  /**
   * Backends of Xen's vifs that its script is done with; any other is left to the script, for it is the guest's start that
   * fails where somebody else was faster. Absent where there is no Xen.
   */
  readonly connected?: readonly string[];
}

export function liveRole(state: ServiceState): Role {
  return state.trial === null ? 'primary' : 'secondary';
}

export function slotOf(state: ServiceState, role: Role): Slot {
  return role === 'primary' ? state.primary : otherSlot(state.primary);
}

export function domuOf(state: ServiceState, role: Role): Domu {
  return state.slots[slotOf(state, role)];
}

export function liveSlot(state: ServiceState): Slot {
  return slotOf(state, liveRole(state));
}

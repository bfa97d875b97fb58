import type { MeteredVif } from './options.ts';
import type { CpuFlow } from './report.ts';

export type Direction = CpuFlow['direction'];

/** What is to be added to one DomU's account of one direction; nanoseconds are totals. */
export interface Charge {
  readonly packets: number;
  readonly bytes: number;
  readonly nanos: number;
  readonly overheadNanos: number;
  readonly samples: number;
  /** Null: not measured in this interval. */
  readonly nanosPerPacket: number | null;
}

interface Account {
  readonly service: string;
  readonly domu: string;
  readonly direction: Direction;
  role: CpuFlow['role'];
  packets: number;
  bytes: number;
  nanos: number;
  overheadNanos: number;
  samples: number;
  nanosPerPacket: number | null;
  /** Of the interval that is open. */
  recent: { packets: number; nanos: number; overheadNanos: number };
  packetsPerSecond: number;
  cpuShare: number;
  overheadShare: number;
}

const DIRECTIONS: readonly Direction[] = ['in', 'out'];

/** The accounts, a pair for each DomU. Totals only grow; a DomU that is gone for good keeps no account. */
export class Ledger {
  #accounts = new Map<string, Account>();

  /** Accounts for who is there now, in that order, whatever was theirs before. */
  keep(vifs: readonly MeteredVif[]): void {
    const kept = new Map<string, Account>();
    for (const vif of vifs) {
      for (const direction of DIRECTIONS) {
        const key = keyOf(vif, direction);
        const account = this.#accounts.get(key) ?? opened(vif, direction);
        account.role = vif.role;
        kept.set(key, account);
      }
    }
    this.#accounts = kept;
  }

  charge(vif: MeteredVif, direction: Direction, charge: Charge): void {
    const account = this.#accounts.get(keyOf(vif, direction));
    if (account === undefined) return;
    account.packets += charge.packets;
    account.bytes += charge.bytes;
    account.nanos += charge.nanos;
    account.overheadNanos += charge.overheadNanos;
    account.samples += charge.samples;
    account.nanosPerPacket = charge.nanosPerPacket ?? account.nanosPerPacket;
    account.recent.packets += charge.packets;
    account.recent.nanos += charge.nanos;
    account.recent.overheadNanos += charge.overheadNanos;
  }

  /** Ends the interval, which was so many seconds long: rates are of it from now on. */
  settle(seconds: number): void {
    for (const account of this.#accounts.values()) {
      const { packets, nanos, overheadNanos } = account.recent;
      account.recent = { packets: 0, nanos: 0, overheadNanos: 0 };
      if (seconds <= 0) continue;
      account.packetsPerSecond = packets / seconds;
      account.cpuShare = nanos / 1e9 / seconds;
      account.overheadShare = overheadNanos / 1e9 / seconds;
    }
  }

  flows(): CpuFlow[] {
    return [...this.#accounts.values()].map((account) => ({
      service: account.service,
      role: account.role,
      domu: account.domu,
      direction: account.direction,
      packets: account.packets,
      bytes: account.bytes,
      cpuSeconds: account.nanos / 1e9,
      overheadSeconds: account.overheadNanos / 1e9,
      packetsPerSecond: account.packetsPerSecond,
      cpuShare: account.cpuShare,
      overheadShare: account.overheadShare,
      nanosPerPacket: account.nanosPerPacket,
      samples: account.samples,
    }));
  }
}

const keyOf = ({ service, domu }: MeteredVif, direction: Direction): string =>
  `${service} ${domu} ${direction}`;

function opened({ service, domu, role }: MeteredVif, direction: Direction): Account {
  return {
    service,
    domu,
    direction,
    role,
    packets: 0,
    bytes: 0,
    nanos: 0,
    overheadNanos: 0,
    samples: 0,
    nanosPerPacket: null,
    recent: { packets: 0, nanos: 0, overheadNanos: 0 },
    packetsPerSecond: 0,
    cpuShare: 0,
    overheadShare: 0,
  };
}

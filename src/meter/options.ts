import type { OpenSocket } from '../kernel/netlink/socket.ts';
import type { Clock } from '../lib/clock.ts';
import type { MeterMode } from './report.ts';

/** One of a DomU's interfaces on this host, and whose it is now. */
export interface MeteredVif {
  readonly ifname: string;
  readonly service: string;
  readonly role: 'primary' | 'secondary';
  readonly domu: string;
}

export interface MeteredDomu extends Omit<MeteredVif, 'ifname'> {
  /** None: nothing of it can be measured. */
  readonly vifs: readonly string[];
}

export interface MeterOptions {
  /** `auto`: the truest that this host allows. */
  readonly wanted: 'auto' | MeterMode;
  /** Milliseconds between two measurements. */
  readonly interval: number;
  /** Asked at each interval: DomUs come and go, and roles change. */
  readonly domus: () => readonly MeteredDomu[];
  /** The interface where services' packets come from; null where none is configured. */
  readonly uplink: () => string | null;
  /** Path of the native helper; one that is not there means less true ways of measuring. */
  readonly helper: string;
  /** How the helper hooks in; `auto`: tcx where the kernel has it (6.6), else filters of a clsact qdisc. */
  readonly hooks?: 'auto' | 'tcx' | 'clsact';
  /** Where sockets for rtnetlink are opened; in this thread unless said. */
  readonly openRoute?: OpenSocket;
  readonly log: (level: 'info' | 'warn', text: string) => void;
  readonly clock: Clock;
}

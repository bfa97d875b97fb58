import { KernelError } from '../../lib/errors.ts';
import { readAttributes, readString } from '../netlink/attributes.ts';
import { dumpWhole } from '../netlink/connection.ts';
import type { NetlinkConnection } from '../netlink/connection.ts';
import type { OpenSocket } from '../netlink/socket.ts';
import { RTM_GETLINK, RTM_NEWLINK, encodeGetLink } from './codec.ts';
import { openRouteConnection } from './route.ts';

/** What a link has carried since it was made, as this host sees it: `received` came from it, `sent` went out by it. */
export interface LinkCounters {
  readonly index: number;
  readonly name: string;
  readonly received: { readonly packets: number; readonly bytes: number };
  readonly sent: { readonly packets: number; readonly bytes: number };
}

/** linux/if_link.h. */
const IFLA_IFNAME = 3;
const IFLA_STATS64 = 23;

/** Reads the 64-bit counters of all links of this process's network namespace in one dump. */
export class CounterReader {
  readonly #connection: NetlinkConnection;

  constructor(openRoute?: OpenSocket) {
    this.#connection = openRouteConnection(openRoute);
  }

  /** KernelError where the kernel does not answer. */
  async read(): Promise<LinkCounters[]> {
    const messages = await dumpWhole(this.#connection, RTM_GETLINK, encodeGetLink());
    return messages.filter(({ type }) => type === RTM_NEWLINK).map(({ payload }) => decodeCounters(payload));
  }

  close(): void {
    this.#connection.close();
  }
}

/**
 * struct ifinfomsg (16 bytes, the index at 4) with attributes, of which IFLA_STATS64 is a struct rtnl_link_stats64:
 * u64 rx_packets, tx_packets, rx_bytes, tx_bytes and more, host byte order. Exact up to 2^53.
 */
export function decodeCounters(payload: Buffer): LinkCounters {
  const found = payload.length < 16 ? null : readAttributes(payload.subarray(16));
  const stats = found?.get(IFLA_STATS64);
  const name = found?.get(IFLA_IFNAME);
  if (stats === undefined || stats.length < 32 || name === undefined) {
    throw new KernelError("the kernel's answer about a link's counters cannot be read", { code: 'EBADMSG' });
  }
  const at = (field: number): number => Number(stats.readBigUInt64LE(field * 8));
  return {
    index: payload.readInt32LE(4),
    name: readString(name),
    received: { packets: at(0), bytes: at(2) },
    sent: { packets: at(1), bytes: at(3) },
  };
}

import { NETLINK_ROUTE, NetlinkConnection } from '../netlink/connection.ts';
import type { OpenSocket } from '../netlink/socket.ts';

/** Milliseconds. Whoever asks waits for the rtnl lock, which others may hold for seconds. */
const PATIENCE = 30_000;

/** A connection to rtnetlink, opened when first needed. */
export const openRouteConnection = (openSocket?: OpenSocket): NetlinkConnection =>
  NetlinkConnection.open(NETLINK_ROUTE, {
    requestTimeout: PATIENCE,
    ...(openSocket === undefined ? {} : { openSocket }),
  });

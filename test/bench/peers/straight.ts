import { domuAddress, domuAddress6 } from '../numbering.ts';
import type { Peer } from './peer.ts';

/** Nobody: the Dom0 routes clients to the DomU's own address, and keeps no account of connections. */
export const straight = (): Peer => ({
  name: 'no director',
  still: true,
  ipv6: true,
  start: () => Promise.resolve(),
  address: (n) => domuAddress(n, 'a'),
  address6: (n) => domuAddress6(n, 'a'),
  move: () => {
    throw new Error('there is nobody to ask');
  },
});

/** The port of every service, TCP and UDP. */
export const PORT = 7000;
export type Side = 'a' | 'b';

/** A service's name; they are numbered from 0. */
export const serviceName = (n: number): string => `s${n}`;

/** Where clients ask for the n-th service: 198.18.0.0/15, RFC 2544's for benchmarks. */
export const serviceAddress = (n: number): string => `198.18.${(n + 1) >> 8}.${(n + 1) & 255}`;
export const serviceAddress6 = (n: number): string => `2001:db8:1::${(n + 1).toString(16)}`;
export const SERVICE_NETWORK = '198.18.0.0/15';
export const SERVICE_NETWORK6 = '2001:db8:1::/48';

export const bridgeName = (n: number): string => `br-s${n}`;
/** Each service's bridge has a network of eight addresses. */
export const bridgeAddress = (n: number): string => hostOf(n, 1);
export const bridgeAddress6 = (n: number): string => `fd00:${(n + 1).toString(16)}::1`;
export const domuAddress = (n: number, side: Side): string => hostOf(n, side === 'a' ? 2 : 3);
/** One that either DomU may have. */
export const floatingAddress = (n: number): string => hostOf(n, 4);
export const domuAddress6 = (n: number, side: Side): string =>
  `fd00:${(n + 1).toString(16)}::${side === 'a' ? 2 : 3}`;
export const domuName = (n: number, side: Side): string => `s${n}-${side}`;
export const vifName = (n: number, side: Side): string => `v${n}${side}`;
export const BRIDGE_NETWORKS = '10.64.0.0/10';
export const BRIDGE_NETWORKS6 = 'fd00::/16';

function hostOf(n: number, host: number): string {
  const at = n * 8 + host;
  return `10.${64 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}`;
}

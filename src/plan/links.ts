import type { Family } from '../model/address.ts';
import { FULL_PREFIX } from '../model/address.ts';
import type { BridgeState, LinkAddress } from '../model/kernel-state.ts';
import type { Service } from '../model/service.ts';
import type { DirectorState, ServiceState } from '../model/state.ts';

export function planBridge({ service, slots }: ServiceState): BridgeState {
  const members = [slots.a, slots.b].flatMap(({ vifs }) => vifs).sort();
  return { name: service.bridge.name, ours: true, up: true, members };
}

/** Gateways on the bridge. */
export function planGateways({ bridge }: Service): LinkAddress[] {
  return bridge.gateway.map((address) => ({ link: bridge.name, address, ours: true, announce: false }));
}

/** The service's addresses on the uplink, where they are announced. */
export function planAnnounced({ announce, addresses }: Service, uplink: string | null): LinkAddress[] {
  if (uplink === null || !announce) return [];
  return addresses.map(({ family, text }) => ({
    link: uplink,
    address: { family, address: text, prefix: FULL_PREFIX[family] },
    ours: true,
    announce: true,
  }));
}

/** Sysctls by their path under /proc/sys. */
export const SYSCTL = {
  forward4: 'net/ipv4/ip_forward',
  forward6: 'net/ipv6/conf/all/forwarding',
  accounting: 'net/netfilter/nf_conntrack_acct',
  /** Never ours to set, but the kernel does with forward4, off and on (linux net/ipv4/devinet.c, inet_forward_change). */
  redirects4: 'net/ipv4/conf/all/accept_redirects',
} as const;

/**
 * Whether iptables sees what crosses a bridge: 0 or 1, absent without br_netfilter, which others load when they need
 * it (Docker does). Never ours to set; the bridges' ports depend on it.
 */
export const BRIDGE_NETFILTER = [
  'net/bridge/bridge-nf-call-iptables',
  'net/bridge/bridge-nf-call-ip6tables',
] as const;

/**
 * A host that takes its routes from router advertisements would lose them once it forwards: such an uplink needs 2
 * (linux Documentation/networking/ip-sysctl.rst, accept_ra). One that is 0 stays 0.
 */
export const acceptRa = (link: string): string => `net/ipv6/conf/${link}/accept_ra`;

export function planSysctls({ uplink }: DirectorState, used: readonly Family[]): Record<string, string> {
  const wanted: Record<string, string> = {};
  if (used.length > 0) wanted[SYSCTL.accounting] = '1';
  if (used.includes(4)) wanted[SYSCTL.forward4] = '1';
  if (used.includes(6) && uplink !== null) wanted[acceptRa(uplink)] = '2';
  if (used.includes(6)) wanted[SYSCTL.forward6] = '1';
  return wanted;
}

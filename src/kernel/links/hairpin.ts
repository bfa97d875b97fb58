import { BRIDGE_NETFILTER } from '../../plan/links.ts';
import { readSysctl } from '../sysctl.ts';

/**
 * Whether ports of bridges have to be in hairpin mode in this namespace. Where iptables sees what crosses a bridge,
 * the DNAT of a DomU's packet to its own service happens on the bridge, and where that DomU is live the frame has to
 * leave by the port it came in by, which a bridge forbids other ports (linux net/bridge/br_forward.c, should_deliver).
 * Without br_netfilter the packet is routed, and the bridge's own port sends it.
 *
 * The price: a guest in hairpin mode hears its own broadcasts and multicasts, and so its own neighbour solicitations.
 * Linux since 4.10 tells them from another's by their nonce (RFC 7527, sysctl enhanced_dad); a guest that cannot may
 * take an IPv6 address that it sets up then for a duplicate. Such a guest needs duplicate address detection off
 * (accept_dad=0, `nodad`), or this host both sysctls of BRIDGE_NETFILTER at 0 before its vif is put on the bridge: what
 * is in hairpin mode stays so, for whoever else may have wanted it.
 */
export function needsHairpin(): boolean {
  return BRIDGE_NETFILTER.map(readSysctl).includes('1');
}

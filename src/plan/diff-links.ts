import { formatNetwork } from '../model/address.ts';
import type { BridgeState, KernelState, LinkAddress } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import { SYSCTL } from './links.ts';

/** Forwarding, bridges, addresses, and the guests' interfaces last: from then on packets arrive. */
export function diffLinks(desired: KernelState, observed: KernelState): Operation[] {
  return [
    ...diffSysctls(desired.sysctls, observed.sysctls),
    ...desired.bridges.flatMap((bridge) => diffBridge(bridge, observed)),
    ...desired.addresses.filter((address) => find(observed.addresses, address) === undefined).map(addAddress),
    ...desired.bridges.flatMap((bridge) => diffMembers(bridge, observed)),
  ];
}

/** A sysctl that the kernel does not know is left out: its module is not loaded yet, or it has no IPv6. */
function diffSysctls(desired: KernelState['sysctls'], observed: KernelState['sysctls']): Operation[] {
  return Object.entries(desired)
    .filter(([key, value]) => {
      const there = observed[key];
      if (there === undefined || there === value) return false;
      // Forwarding that is on with another value (2) is on; an uplink that ignores advertisements goes on doing so.
      if (key === SYSCTL.forward4 || key === SYSCTL.forward6) return there === '0';
      return key.endsWith('/accept_ra') ? there === '1' : true;
    })
    .map(([key, value]) => ({
      kind: 'sysctl',
      key,
      value,
      why: `${key.replaceAll('/', '.')} is ${observed[key] ?? ''}`,
    }));
}

function diffBridge(bridge: BridgeState, observed: KernelState): Operation[] {
  const there = observed.bridges.find(({ name }) => name === bridge.name);
  if (there === undefined)
    return [
      { kind: 'bridge-add', bridge: { name: bridge.name }, why: `bridge ${bridge.name} does not exist` },
    ];
  return there.up
    ? []
    : [{ kind: 'bridge-up', bridge: { name: bridge.name }, why: `bridge ${bridge.name} is down` }];
}

/** `members` of an observed bridge that are wanted but do not exist are not asked for: a DomU may be down. */
function diffMembers(bridge: BridgeState, observed: KernelState): Operation[] {
  const there = observed.bridges.find(({ name }) => name === bridge.name)?.members ?? [];
  return bridge.members
    .filter((link) => !there.includes(link))
    .map((link) => ({
      kind: 'member-add',
      bridge: bridge.name,
      link,
      why: `${link} is not on ${bridge.name}, or lacks hairpin mode there`,
    }));
}

function addAddress(address: LinkAddress): Operation {
  return { kind: 'address-add', address, why: `${formatNetwork(address.address)} is not on ${address.link}` };
}

/** Only what bears our sign is taken away. */
export function undoLinks(desired: KernelState, observed: KernelState): Operation[] {
  const bridges = new Set(desired.bridges.map(({ name }) => name));
  const goingBridges = observed.bridges.filter(({ name, ours }) => ours && !bridges.has(name));
  const addresses = observed.addresses
    .filter((address) => address.ours && find(desired.addresses, address) === undefined)
    .filter(({ link }) => !goingBridges.some(({ name }) => name === link))
    .map((address): Operation => ({
      kind: 'address-delete',
      address,
      why: `no service has ${formatNetwork(address.address)} on ${address.link} any more`,
    }));
  return [
    ...addresses,
    ...goingBridges.map(({ name }): Operation => ({
      kind: 'bridge-delete',
      bridge: { name },
      why: `no service has the bridge ${name} any more`,
    })),
  ];
}

/** The same host address on the same link is there, whatever its prefix length says. */
function find(addresses: readonly LinkAddress[], { link, address }: LinkAddress): LinkAddress | undefined {
  return addresses.find((other) => other.link === link && other.address.address === address.address);
}

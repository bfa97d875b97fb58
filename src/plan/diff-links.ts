import { formatNetwork } from '../model/address.ts';
import { filterInSteps, indexInSteps } from '../lib/turn.ts';
import type { Steps } from '../lib/turn.ts';
import type { BridgeState, KernelState, LinkAddress } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import { SYSCTL } from './links.ts';

/** Forwarding, bridges, addresses, and the guests' interfaces last: from then on packets arrive. */
export function* diffLinks(desired: KernelState, observed: KernelState): Steps<Operation[]> {
  const bridges = yield* indexInSteps(observed.bridges, ({ name }) => name);
  const there = yield* indexInSteps(observed.addresses, nameOf);
  const missing = yield* filterInSteps(desired.addresses, (address) => !there.has(nameOf(address)));
  return [
    ...diffSysctls(desired.sysctls, observed.sysctls),
    ...desired.bridges.flatMap((bridge) => diffBridge(bridge, bridges.get(bridge.name))),
    ...missing.map(addAddress),
    ...desired.bridges.flatMap((bridge) => diffMembers(bridge, bridges.get(bridge.name))),
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

function diffBridge(bridge: BridgeState, there: BridgeState | undefined): Operation[] {
  if (there === undefined)
    return [
      { kind: 'bridge-add', bridge: { name: bridge.name }, why: `bridge ${bridge.name} does not exist` },
    ];
  return there.up
    ? []
    : [{ kind: 'bridge-up', bridge: { name: bridge.name }, why: `bridge ${bridge.name} is down` }];
}

/** `members` of an observed bridge that are wanted but do not exist are not asked for: a DomU may be down. */
function diffMembers(bridge: BridgeState, there: BridgeState | undefined): Operation[] {
  return bridge.members
    .filter((link) => there?.members.includes(link) !== true)
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
export function* undoLinks(desired: KernelState, observed: KernelState): Steps<Operation[]> {
  const bridges = new Set(desired.bridges.map(({ name }) => name));
  const wanted = yield* indexInSteps(desired.addresses, nameOf);
  const goingBridges = observed.bridges.filter(({ name, ours }) => ours && !bridges.has(name));
  const going = new Set(goingBridges.map(({ name }) => name));
  const unwanted = yield* filterInSteps(
    observed.addresses,
    (address) => address.ours && !wanted.has(nameOf(address)) && !going.has(address.link),
  );
  const addresses = unwanted.map((address): Operation => ({
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
const nameOf = ({ link, address }: LinkAddress): string => `${link} ${address.address}`;

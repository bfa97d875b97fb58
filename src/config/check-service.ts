import { contains, FAMILIES, formatNetwork, formatSource } from '../model/address.ts';
import type { Address, Family, InterfaceAddress } from '../model/address.ts';
import { formatPort } from '../model/service.ts';
import type { Domu, Port } from '../model/service.ts';
import { formatDuration } from '../lib/duration.ts';
import type { ServiceDraft } from './draft.ts';
import { reservedIn } from './parse-address.ts';
import type { Path, Problem } from './problem.ts';

type Check = (service: ServiceDraft) => Problem[];

const families = (addresses: readonly { readonly family: Family }[]): Set<Family> =>
  new Set(addresses.map(({ family }) => family));

const asAddress = ({ family, address }: InterfaceAddress): Address => ({ family, text: address });

/** Entries that stand in a list twice: the later one is the fault. */
function repeated(at: Path, entries: readonly string[]): Problem[] {
  return entries.flatMap((entry, i) =>
    entries.indexOf(entry) < i
      ? [{ at: [...at, i], message: `${entry} stands here twice; leave one out` }]
      : [],
  );
}

const repetitions: Check = ({ addresses = [], testers = [], admins = [], bridge, domus = [] }) => [
  ...repeated(
    ['addresses'],
    addresses.map(({ text }) => text),
  ),
  ...repeated(['bridge', 'gateway'], bridge?.gateway.map(({ address }) => address) ?? []),
  ...domus.flatMap((domu, i) => [
    ...repeated(
      ['domus', i, 'addresses'],
      domu.addresses.map(({ text }) => text),
    ),
    ...repeated(['domus', i, 'vifs'], domu.vifs),
    ...repeated(['domus', i, 'macs'], domu.macs ?? []),
  ]),
  ...repeated(['testers'], testers.map(formatSource)),
  ...repeated(['admins'], admins.map(formatSource)),
];

const overlappingPorts: Check = ({ ports = [] }) => {
  const overlap = (a: Port, b: Port) => a.protocol === b.protocol && a.from <= b.to && b.from <= a.to;
  return ports.flatMap((port, i) => {
    const earlier = ports.slice(0, i).find((other) => overlap(port, other));
    if (earlier === undefined) return [];
    const message = `${formatPort(port)} overlaps ${formatPort(earlier)} of the same service; write each port once`;
    return [{ at: ['ports', i], message }];
  });
};

const distinctDomus: Check = ({ domus, bridge }) => {
  if (domus === undefined) return [];
  const [a, b] = domus;
  const problems: Problem[] = [];
  if (a.name === b.name) {
    problems.push({
      at: ['domus', 1, 'name'],
      message: `both DomUs are named ${a.name}; give each a name of its own`,
    });
  }
  b.addresses.forEach(({ text }, i) => {
    if (!a.addresses.some((other) => other.text === text)) return;
    const message = `${text} is ${a.name}'s address too; each DomU has addresses of its own`;
    problems.push({ at: ['domus', 1, 'addresses', i], message });
  });
  return [...problems, ...distinctDomains(domus), ...distinctVifs(domus, bridge?.name)];
};

function distinctDomains([a, b]: readonly [Domu, Domu]): Problem[] {
  const [name, other] = [b.domain ?? b.name, a.domain ?? a.name];
  // Two DomUs of one name are told of already.
  const domain: Problem[] =
    name !== other || a.name === b.name
      ? []
      : [
          {
            at: ['domus', 1, b.domain === undefined ? 'name' : 'domain'],
            message: `${name} is ${a.name}'s domain too; each DomU is a guest of its own`,
          },
        ];
  const macs = (b.macs ?? []).flatMap((mac, i): Problem[] =>
    a.macs?.includes(mac) === true
      ? [
          {
            at: ['domus', 1, 'macs', i],
            message: `${mac} is ${a.name}'s MAC address too; each DomU has addresses of its own`,
          },
        ]
      : [],
  );
  return [...domain, ...macs];
}

function distinctVifs(domus: readonly [Domu, Domu], bridge: string | undefined): Problem[] {
  const [a] = domus;
  return domus.flatMap((domu, i) =>
    domu.vifs.flatMap((vif, j) => {
      const at = ['domus', i, 'vifs', j];
      if (vif === bridge) {
        return [{ at, message: `${vif} is the bridge itself; write the guest's own interface` }];
      }
      if (i === 0 || !a.vifs.includes(vif)) return [];
      return [{ at, message: `${vif} is ${a.name}'s interface too; each DomU has interfaces of its own` }];
    }),
  );
}

const domusOnTheirBridge: Check = ({ domus = [], bridge }) =>
  bridge === undefined
    ? []
    : domus.flatMap((domu, i) =>
        domu.addresses.flatMap((address, j) => {
          const message = misplaced(address, bridge.gateway);
          return message === null ? [] : [{ at: ['domus', i, 'addresses', j], message }];
        }),
      );

/** Why a DomU cannot have this address. A family that the bridge lacks altogether is told elsewhere. */
function misplaced(address: Address, gateways: readonly InterfaceAddress[]): string | null {
  const ofFamily = gateways.filter(({ family }) => family === address.family);
  if (ofFamily.length === 0) return null;
  const around = ofFamily.filter((gateway) => contains(gateway, address));
  if (around.length === 0) {
    const networks = ofFamily.map(formatNetwork).join(' or ');
    return `${address.text} is not in the bridge's network; write an address beside ${networks}`;
  }
  if (ofFamily.some((gateway) => asAddress(gateway).text === address.text)) {
    return `${address.text} is the bridge's own address; write the DomU's`;
  }
  for (const gateway of around) {
    const reserved = reservedIn(gateway, address);
    if (reserved !== null)
      return `${address.text} is the ${reserved} of ${formatNetwork(gateway)}; write a host's`;
  }
  return null;
}

const sameFamilies: Check = ({ addresses, domus = [], bridge }) => {
  if (addresses === undefined) return [];
  const service = families(addresses);
  const gateways = bridge === undefined ? service : families(bridge.gateway);
  return FAMILIES.flatMap((family) => [
    ...domus.flatMap((domu, i) => familyMismatch(domu, i, family, service.has(family))),
    ...(service.has(family) && !gateways.has(family)
      ? [
          {
            at: ['bridge', 'gateway'],
            message: `the service has IPv${family} addresses, but its bridge has none; add one with its prefix length`,
          },
        ]
      : []),
  ]);
};

function familyMismatch(domu: Domu, i: number, family: Family, wanted: boolean): Problem[] {
  const there = families(domu.addresses).has(family);
  if (there === wanted) return [];
  const message = there
    ? `${domu.name} has an IPv${family} address, but the service has none; add one to the service, or remove it here`
    : `${domu.name} has no IPv${family} address, but the service has; add one here, or remove it from the service`;
  return [{ at: ['domus', i, 'addresses'], message }];
}

const serviceApartFromBridge: Check = ({ addresses = [], bridge, domus = [] }) =>
  addresses.flatMap((address, i) => {
    const at = ['addresses', i];
    const owner = domus.find((domu) => domu.addresses.some(({ text }) => text === address.text));
    if (owner !== undefined) {
      const message = `${address.text} is ${owner.name}'s own address; a service needs one apart from its DomUs'`;
      return [{ at, message }];
    }
    const around = bridge?.gateway.find((gateway) => contains(gateway, address));
    if (around === undefined) return [];
    const message = `${address.text} lies in the bridge's network (${formatNetwork(around)}); write one outside of it`;
    return [{ at, message }];
  });

const reachableTesters: Check = ({ addresses, testers = [] }) => {
  if (addresses === undefined) return [];
  const known = families(addresses);
  return testers.flatMap((tester, i) => {
    if (known.has(tester.family)) return [];
    const message = `${formatSource(tester)} can never match, because the service has no IPv${tester.family} address; remove it, or add such an address`;
    return [{ at: ['testers', i], message }];
  });
};

const probesThatEnd: Check = ({ health }) => {
  if (health === undefined || health.timeout <= health.every) return [];
  const [timeout, every] = [formatDuration(health.timeout), formatDuration(health.every)];
  const message = `${timeout} is longer than every (${every}); write ${every} or less`;
  return [{ at: ['health', 'timeout'], message }];
};

const CHECKS: readonly Check[] = [
  repetitions,
  overlappingPorts,
  distinctDomus,
  domusOnTheirBridge,
  sameFamilies,
  serviceApartFromBridge,
  reachableTesters,
  probesThatEnd,
];

/** What is wrong between the fields of one service; paths begin in its definition. */
export function checkService(service: ServiceDraft): Problem[] {
  return CHECKS.flatMap((check) => check(service));
}

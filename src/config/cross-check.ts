import { formatNetwork, FULL_PREFIX, networkOf, toBits } from '../model/address.ts';
import type { Family, Network } from '../model/address.ts';
import { markCapacity } from '../model/mark.ts';
import { formatPort } from '../model/service.ts';
import type { Port, Service } from '../model/service.ts';
import type { Fault } from '../lib/errors.ts';
import type { HostDraft, ServiceDraft } from './draft.ts';
import { NetworkIndex } from './network-index.ts';
import { toFault } from './problem.ts';
import type { Path, Problem } from './problem.ts';

/** What a service claims for itself alone: by whom, as what, and where it says so. */
interface Claim {
  readonly service: string;
  readonly as: string;
  readonly at: Path;
}

/**
 * What is wrong between services that are each right by themselves, and with the host that they share (the
 * configuration's uplink and mark; without it only what the services say is checked). A fault is told of the later of
 * two services, and names the earlier one. Time grows with n log n of the services.
 */
export function crossCheck(services: readonly Service[], host: HostDraft = {}): Fault[] {
  return crossProblems(services, host).map(toFault);
}

/**
 * The same of one more service and others that fit together: told is what is wrong between it and them. `before`: what it
 * was when it fitted together with them, if it was there.
 */
export function crossCheckOne(
  service: Service,
  others: readonly Service[],
  host: HostDraft = {},
  before?: Service,
): Fault[] {
  const addresses = new Set(service.addresses.map(({ text }) => text));
  const settled = new Set(before === undefined ? [] : claimsOf(before));
  const claimed = new Set(claimsOf(service).filter((claim) => !settled.has(claim)));
  const known = before === undefined ? [] : networksOf(before);
  const networks = networksOf(service).filter((own) => !known.some((one) => isSame(one, own)));
  const isNear = (other: Service): boolean =>
    other.addresses.some(({ text }) => addresses.has(text)) ||
    (claimed.size > 0 && claimsOf(other).some((claim) => claimed.has(claim))) ||
    (networks.length > 0 &&
      networksOf(other).some((network) => networks.some((own) => touches(network, own))));
  return crossCheck([...others.filter(isNear), service], host);
}

const claims = new WeakMap<Service, readonly string[]>();

/** Whatever it alone may have, by kind. */
function claimsOf(service: Service): readonly string[] {
  const known = claims.get(service);
  if (known !== undefined) return known;
  const made = [interfaceClaims, domuNameClaims, domainClaims, macClaims, domuAddressClaims].flatMap(
    (claim, kind) => claim(service).map(([thing]) => `${kind} ${thing}`),
  );
  claims.set(service, made);
  return made;
}

interface Range {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
  /** A bridge's, and not an address alone: of two addresses none lies in the other. */
  readonly wide: boolean;
}

const ranges = new WeakMap<Service, readonly Range[]>();

function networksOf(service: Service): readonly Range[] {
  const known = ranges.get(service);
  if (known !== undefined) return known;
  const made = [
    ...service.bridge.gateway.map((gateway) => rangeOf(networkOf(gateway), true)),
    ...service.addresses.map(({ family, text }) =>
      rangeOf({ family, address: text, prefix: FULL_PREFIX[family] }, false),
    ),
  ];
  ranges.set(service, made);
  return made;
}

function rangeOf({ family, address, prefix }: Network, wide: boolean): Range {
  const first = toBits({ family, text: address });
  return { family, first, last: first + (1n << BigInt(FULL_PREFIX[family] - prefix)) - 1n, wide };
}

const isSame = (a: Range, b: Range): boolean =>
  a.family === b.family && a.wide === b.wide && a.first === b.first && a.last === b.last;

const touches = (a: Range, b: Range): boolean =>
  a.family === b.family && (a.wide || b.wide) && a.first <= b.last && b.first <= a.last;

export function crossProblems(services: readonly ServiceDraft[], host: HostDraft): Problem[] {
  return [
    ...hostProblems(services, host),
    ...sharedNames(services, host),
    ...sharedPorts(services),
    ...sharedNetworks(services),
  ];
}

function hostProblems(services: readonly ServiceDraft[], { uplink, markMask }: HostDraft): Problem[] {
  const problems: Problem[] = [];
  const announced = services.find(({ announce }) => announce === true);
  if (uplink === null && announced !== undefined) {
    const message = `is missing, but ${announced.name} announces its addresses there; write the interface's name, or announce: false in each service`;
    problems.push({ at: ['uplink'], message });
  }
  if (markMask !== undefined && services.length > markCapacity(markMask)) {
    const message = `tells ${markCapacity(markMask)} services apart, but there are ${services.length}; write a mask with more bits`;
    problems.push({ at: ['mark', 'mask'], message });
  }
  return problems;
}

type Claims = (service: ServiceDraft) => (readonly [string, Claim])[];

/** Interfaces, DomUs' names and DomUs' addresses belong to one service each. */
function sharedNames(services: readonly ServiceDraft[], { uplink }: HostDraft): Problem[] {
  const uplinks =
    typeof uplink === 'string' ? [[uplink, { service: '', as: 'the uplink', at: [] }] as const] : [];
  const names = conflicts(services.flatMap(domuNameClaims), 'give each DomU a name of its own');
  const told = new Set(names.map(({ at }) => at.join('.')));
  return [
    ...conflicts([...uplinks, ...services.flatMap(interfaceClaims)], 'write another interface'),
    ...names,
    // Two DomUs of one name have one domain, too.
    ...conflicts(services.flatMap(domainClaims), 'each DomU is a guest of its own').filter(
      ({ at }) => !told.has(at.join('.')),
    ),
    ...conflicts(services.flatMap(macClaims), 'give each DomU MAC addresses of its own'),
    ...conflicts(services.flatMap(domuAddressClaims), 'give each DomU addresses of its own'),
  ];
}

const interfaceClaims: Claims = ({ name, bridge, domus = [] }) => {
  const at: Path = ['services', name];
  const vifs = domus.flatMap((domu, i) =>
    domu.vifs.map((vif, j) => {
      const claim = {
        service: name,
        as: `${domu.name}'s (service ${name})`,
        at: [...at, 'domus', i, 'vifs', j],
      };
      return [vif, claim] as const;
    }),
  );
  if (bridge === undefined) return vifs;
  const claim = { service: name, as: `service ${name}'s bridge`, at: [...at, 'bridge', 'name'] };
  return [[bridge.name, claim], ...vifs];
};

const domuNameClaims: Claims = ({ name, domus = [] }) => {
  return domus.map((domu, i) => {
    const at = ['services', name, 'domus', i, 'name'];
    return [domu.name, { service: name, as: `a DomU of service ${name}`, at }] as const;
  });
};

const domainClaims: Claims = ({ name, domus = [] }) => {
  return domus.map((domu, i) => {
    const at = ['services', name, 'domus', i, domu.domain === undefined ? 'name' : 'domain'];
    const as = `the domain of ${domu.name} (service ${name})`;
    return [domu.domain ?? domu.name, { service: name, as, at }] as const;
  });
};

const macClaims: Claims = ({ name, domus = [] }) => {
  return domus.flatMap((domu, i) =>
    (domu.macs ?? []).map((mac, j) => {
      const at = ['services', name, 'domus', i, 'macs', j];
      return [mac, { service: name, as: `${domu.name}'s (service ${name})`, at }] as const;
    }),
  );
};

const domuAddressClaims: Claims = ({ name, domus = [] }) => {
  return domus.flatMap((domu, i) =>
    domu.addresses.map(({ text }, j) => {
      const at = ['services', name, 'domus', i, 'addresses', j];
      return [text, { service: name, as: `${domu.name}'s (service ${name})`, at }] as const;
    }),
  );
};

/** Whoever claims a thing first has it. What one service claims twice is told by the check of that service. */
function conflicts(claims: readonly (readonly [string, Claim])[], advice: string): Problem[] {
  const first = new Map<string, Claim>();
  return claims.flatMap(([thing, claim]) => {
    const owner = first.get(thing);
    if (owner === undefined) first.set(thing, claim);
    if (owner === undefined || owner.service === claim.service) return [];
    return [{ at: claim.at, message: `${thing} is ${owner.as} already; ${advice}` }];
  });
}

interface PortClaim {
  readonly port: Port;
  readonly service: string;
  readonly order: number;
  readonly at: Path;
}

function sharedPorts(services: readonly ServiceDraft[]): Problem[] {
  const byEndpoint = new Map<string, PortClaim[]>();
  services.forEach(({ name, addresses = [], ports = [] }, order) => {
    for (const { text } of addresses) {
      ports.forEach((port, i) => {
        const endpoint = `${text} ${port.protocol}`;
        const claims = byEndpoint.get(endpoint) ?? [];
        claims.push({ port, service: name, order, at: ['services', name, 'ports', i] });
        byEndpoint.set(endpoint, claims);
      });
    }
  });
  return [...byEndpoint].flatMap(([endpoint, claims]) => overlaps(endpoint.split(' ')[0] ?? '', claims));
}

/** One pass over the ranges, sorted: a range overlaps if it begins before the furthest end so far. */
function overlaps(address: string, claims: readonly PortClaim[]): Problem[] {
  const sorted = claims.toSorted((a, b) => a.port.from - b.port.from || a.order - b.order);
  let furthest: PortClaim | undefined;
  return sorted.flatMap((claim) => {
    const before = furthest;
    if (before === undefined || claim.port.to > before.port.to) furthest = claim;
    if (before === undefined || claim.port.from > before.port.to || claim.service === before.service)
      return [];
    const [owner, later] = before.order < claim.order ? [before, claim] : [claim, before];
    const message = `${formatPort(later.port)} on ${address} is service ${owner.service}'s already (${formatPort(owner.port)}); write another port, or another address`;
    return [{ at: later.at, message }];
  });
}

interface NetworkOwner {
  readonly service: string;
  readonly order: number;
  readonly text: string;
}

function sharedNetworks(services: readonly ServiceDraft[]): Problem[] {
  const index = new NetworkIndex<NetworkOwner>();
  services.forEach(({ name, bridge }, order) => {
    bridge?.gateway.forEach((gateway) =>
      index.add(gateway, { service: name, order, text: formatNetwork(gateway) }),
    );
  });
  return services.flatMap((service, order) => [
    ...bridgesInside(service, order, index),
    ...addressesInside(service, index),
  ]);
}

function bridgesInside(
  { name, bridge }: ServiceDraft,
  order: number,
  index: NetworkIndex<NetworkOwner>,
): Problem[] {
  return (bridge?.gateway ?? []).flatMap((gateway, i) => {
    const text = formatNetwork(gateway);
    const length = `/${gateway.prefix}`;
    const other = index
      .around({ family: gateway.family, text: gateway.address }, gateway.prefix)
      .find((owner) => owner.service !== name && (owner.order < order || !owner.text.endsWith(length)));
    if (other === undefined) return [];
    const message = `${text} overlaps the network of service ${other.service}'s bridge (${other.text}); give each bridge a network of its own`;
    return [{ at: ['services', name, 'bridge', 'gateway', i], message }];
  });
}

function addressesInside(
  { name, addresses = [] }: ServiceDraft,
  index: NetworkIndex<NetworkOwner>,
): Problem[] {
  return addresses.flatMap((address, i) => {
    const other = index.around(address, FULL_PREFIX[address.family]).find(({ service }) => service !== name);
    if (other === undefined) return [];
    const message = `${address.text} lies in the network of service ${other.service}'s bridge (${other.text}); write one outside of it`;
    return [{ at: ['services', name, 'addresses', i], message }];
  });
}

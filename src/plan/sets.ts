import type { Address, Family, Network } from '../model/address.ts';
import { FAMILIES, formatNetwork, formatSource, networkOf } from '../model/address.ts';
import type { SetElement, SetSpec, SetState, SetType } from '../model/kernel-state.ts';
import type { Service } from '../model/service.ts';
import type { ServiceState } from '../model/state.ts';
import { setName, testersSet } from './names.ts';

/** What one service puts into the sets of a family. */
export interface ServiceElements {
  readonly vips: readonly SetElement[];
  readonly domus: readonly SetElement[];
  /** Its DomUs' addresses, where it is quarantined. */
  readonly quarantined: readonly SetElement[];
  readonly hairpins: readonly SetElement[];
  readonly held: readonly SetElement[];
  /** Its set of testers; null while nobody may test. */
  readonly testers: SetState | null;
}

export function planElements(state: ServiceState, family: Family): ServiceElements {
  const { service } = state;
  const domus = permanent(
    service.domus.flatMap(({ addresses }) => addresses),
    family,
  );
  return {
    vips: permanent(service.addresses, family),
    domus,
    quarantined: service.quarantine === null ? [] : domus,
    hairpins: hairpins(service, family),
    held: held(state, family),
    testers: hasTesters(state, family) ? testers(state, family) : null,
  };
}

/** Only a service whose testing is open and that somebody tests has a set for it, and rules that read it. */
export function hasTesters(state: ServiceState, family: Family): boolean {
  return (
    state.testing === 'open' && !state.pinned && state.testers.some(({ source }) => source.family === family)
  );
}

function testers(state: ServiceState, family: Family): SetState {
  const elements = state.testers
    .filter(({ source }) => source.family === family)
    .flatMap(({ source, expiresAt }) =>
      halves(source).map((half) => ({ key: formatSource(half), expiresAt })),
    );
  // Who tests for good and has a lease besides goes on when that ends.
  const end = ({ expiresAt }: SetElement): number => expiresAt ?? Number.MAX_SAFE_INTEGER;
  const shortestFirst = elements.toSorted((a, b) => end(a) - end(b));
  const unique = new Map(shortestFirst.map((element) => [element.key, element]));
  const spec: SetSpec = {
    name: testersSet(state.service.name, family),
    type: 'hash:net',
    family,
    timeouts: true,
    counters: false,
  };
  return { ...spec, elements: sorted([...unique.values()]) };
}

/** ipset's hash:net takes no prefix length of 0; the two halves are the same. */
function halves(network: Network): Network[] {
  if (network.prefix > 0) return [network];
  const upper = network.family === 4 ? '128.0.0.0' : '8000::';
  return [
    { ...network, prefix: 1 },
    { ...network, address: upper, prefix: 1 },
  ];
}

function hairpins({ bridge }: Service, family: Family): SetElement[] {
  return bridge.gateway
    .filter((gateway) => gateway.family === family)
    .map((gateway) => ({ key: `${formatNetwork(networkOf(gateway))},${bridge.name}`, expiresAt: null }));
}

/** What a hold of these services puts into which sets; the kernel takes it out at `until`. */
export function holdElements(
  services: readonly Service[],
  until: number,
): { set: SetSpec; elements: SetElement[] }[] {
  return FAMILIES.flatMap((family) => {
    const elements = services
      .flatMap((service) => portKeys(service, family))
      .map((key) => ({ key, expiresAt: until }));
    return elements.length === 0 ? [] : [{ set: holdSet(family), elements }];
  });
}

function held({ service, heldUntil }: ServiceState, family: Family): SetElement[] {
  return heldUntil === null ? [] : portKeys(service, family).map((key) => ({ key, expiresAt: heldUntil }));
}

/** `ADDRESS,PROTOCOL:PORT` for everything that a service listens on in one family. */
export function portKeys(service: Service, family: Family): string[] {
  const ports = service.ports.flatMap(({ protocol, from, to }) =>
    Array.from({ length: to - from + 1 }, (_, offset) => `${protocol}:${from + offset}`),
  );
  return service.addresses
    .filter((address) => address.family === family)
    .flatMap((address) => ports.map((port) => `${address.text},${port}`));
}

function permanent(addresses: readonly Address[], family: Family): SetElement[] {
  const keys = new Set(addresses.filter((address) => address.family === family).map(({ text }) => text));
  return [...keys].map((key) => ({ key, expiresAt: null }));
}

export function setSpec(
  stem: string,
  family: Family,
  type: SetType,
  { timeouts = false, counters = false }: { timeouts?: boolean; counters?: boolean } = {},
): SetSpec {
  return { name: setName(stem, family), type, family, timeouts, counters };
}

export const holdSet = (family: Family): SetSpec =>
  setSpec('hold', family, 'hash:ip,port', { timeouts: true });

export const byKey = (a: SetElement, b: SetElement): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

export function sorted(elements: readonly SetElement[]): SetElement[] {
  return [...elements].sort(byKey);
}

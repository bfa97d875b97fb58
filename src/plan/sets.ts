import type { Address, Family, Network } from '../model/address.ts';
import { FAMILIES, formatNetwork, formatSource, networkOf } from '../model/address.ts';
import type { SetElement, SetSpec, SetState, SetType } from '../model/kernel-state.ts';
import type { Service } from '../model/service.ts';
import type { DirectorState, ServiceState } from '../model/state.ts';
import { COUNTERS, setName, testersSet } from './names.ts';

/** Every set of one family but the choice's banks, in the order in which they are made. */
export function planSets({ services }: DirectorState, family: Family): SetState[] {
  const domus = permanent(
    services.flatMap(({ service }) => service.domus.flatMap((domu) => domu.addresses)),
    family,
  );
  return [
    set(
      'vips',
      family,
      'hash:ip',
      permanent(
        services.flatMap(({ service }) => service.addresses),
        family,
      ),
    ),
    set('domus', family, 'hash:ip', domus),
    ...quarantined(services, family),
    ...COUNTERS.map((stem) => set(stem, family, 'hash:ip', domus, { counters: true })),
    set('hairpin', family, 'hash:net,iface', hairpins(services, family)),
    set(
      'hold',
      family,
      'hash:ip,port',
      services.flatMap((state) => held(state, family)),
      { timeouts: true },
    ),
    ...services.filter((state) => hasTesters(state, family)).map((state) => testers(state, family)),
  ];
}

/** Only where a service is quarantined at all does anybody look this set up. */
function quarantined(services: readonly ServiceState[], family: Family): SetState[] {
  const domus = services
    .filter(({ service }) => service.quarantine !== null)
    .flatMap(({ service }) => service.domus.flatMap((domu) => domu.addresses));
  const elements = permanent(domus, family);
  return elements.length === 0 ? [] : [set('quarantine', family, 'hash:ip', elements)];
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

function hairpins(services: readonly ServiceState[], family: Family): SetElement[] {
  return services.flatMap(({ service }) =>
    service.bridge.gateway
      .filter((gateway) => gateway.family === family)
      .map((gateway) => ({
        key: `${formatNetwork(networkOf(gateway))},${service.bridge.name}`,
        expiresAt: null,
      })),
  );
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
    const { name, type, timeouts, counters } = set('hold', family, 'hash:ip,port', [], { timeouts: true });
    return elements.length === 0 ? [] : [{ set: { name, type, family, timeouts, counters }, elements }];
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

function set(
  stem: string,
  family: Family,
  type: SetType,
  elements: readonly SetElement[],
  options: { timeouts?: boolean; counters?: boolean } = {},
): SetState {
  const { timeouts = false, counters = false } = options;
  return { name: setName(stem, family), type, family, timeouts, counters, elements: sorted(elements) };
}

export function sorted(elements: readonly SetElement[]): SetElement[] {
  return [...elements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

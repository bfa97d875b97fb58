import type { Address, Family, Network } from '../model/address.ts';
import { encodeMark } from '../model/mark.ts';
import type { Outlet, Port, Protocol, Service } from '../model/service.ts';
import { directedAddress, familiesOf } from '../model/service.ts';
import type { ServiceState, Slot } from '../model/state.ts';
import { liveSlot, otherSlot } from '../model/state.ts';
import { testersSet } from './names.ts';
import { hasTesters } from './sets.ts';
import { itemOf } from './tree.ts';
import type { Item, Tree } from './tree.ts';

export interface FamilyPlan {
  readonly markMask: number;
  readonly services: readonly ServiceSource[];
  /** Whether a service is held now: only then does anybody look its packets up. */
  readonly held: boolean;
  /** Which service an address and port belong to. */
  readonly dispatch: Tree<readonly ServicePorts[]>;
  /** Which DomU an address belongs to. */
  readonly guard: Tree<DomuPlace>;
  /** The same for DomUs that are quarantined while they are dark; null where none is. */
  readonly quarantine: Tree<DomuPlace> | null;
}

export interface ServicePorts {
  readonly service: string;
  readonly id: number;
  readonly ports: readonly Port[];
}

export interface DomuPlace {
  readonly service: string;
  readonly slot: Slot;
}

/** `tester`: the client is enrolled; `trial`: the choice list names this address and port; `always`: everybody else. */
export interface Case {
  readonly when: 'tester' | 'trial' | 'always';
  readonly slot: Slot;
}

/** What a service's chains are made of. They are so when they are written: kept, those of thousands take a lot of room. */
export interface ServiceSource {
  readonly state: ServiceState;
  readonly family: Family;
  readonly markMask: number;
}

export interface ServiceChains {
  readonly name: string;
  readonly bridge: string;
  /** Name of the set of testers; null while nobody may test. */
  readonly testers: string | null;
  readonly admins: readonly Network[];
  readonly cases: readonly Case[];
  readonly targets: Readonly<Record<Slot, Target>>;
  /** Whether anybody may open a connection to this DomU's own address. */
  readonly open: Readonly<Record<Slot, 'always' | 'never' | 'in-trial' | 'unless-trial'>>;
  /** Where a DomU may connect to although it is dark; null: anywhere. */
  readonly outlets: readonly Outlet[] | null;
}

/** A DomU as the aim of connections. */
export interface Target {
  readonly domu: string;
  readonly address: Address;
  readonly marks: readonly { readonly protocol: Protocol; readonly mark: number }[];
  /** Ports that the DomU has elsewhere than the service. */
  readonly mapped: readonly { readonly protocol: Protocol; readonly port: number; readonly target: number }[];
}

/** How one service is directed in a family; null where it does not use it. */
export interface ServicePlan {
  readonly source: ServiceSource;
  /** Its addresses, each with its ports. */
  readonly dispatch: readonly Item<readonly ServicePorts[]>[];
  /** Its DomUs' addresses. */
  readonly guard: readonly Item<DomuPlace>[];
  readonly quarantine: readonly Item<DomuPlace>[];
}

export function planService(state: ServiceState, family: Family, markMask: number): ServicePlan | null {
  const { service } = state;
  if (!familiesOf(service).includes(family)) return null;
  const guard = places(state, family);
  const addresses = service.addresses.filter((address) => address.family === family);
  const leaf = [{ service: service.name, id: state.id, ports: service.ports }];
  return {
    source: { state, family, markMask },
    dispatch: addresses.map((address) => itemOf(address, leaf)),
    guard,
    quarantine: service.quarantine === null ? [] : guard,
  };
}

export function chainsOf({ state, family, markMask }: ServiceSource): ServiceChains {
  const { service, slots } = state;
  const target = (slot: Slot): Target => ({
    domu: slots[slot].name,
    address: mustDirect(state, slot, family),
    marks: protocolsOf(service).map((protocol) => ({
      protocol,
      mark: encodeMark({ id: state.id, slot, protocol }, markMask),
    })),
    mapped: mappedPorts(service),
  });
  return {
    name: service.name,
    bridge: service.bridge.name,
    testers: hasTesters(state, family) ? testersSet(service.name, family) : null,
    admins: service.admins.filter((network) => network.family === family),
    cases: cases(state, family),
    targets: { a: target('a'), b: target('b') },
    open: { a: openness(state, 'a'), b: openness(state, 'b') },
    outlets: service.quarantine?.filter(({ to }) => to.family === family) ?? null,
  };
}

function cases(state: ServiceState, family: Family): Case[] {
  if (state.pinned) return [{ when: 'always', slot: liveSlot(state) }];
  const secondary = otherSlot(state.primary);
  const tester: Case[] = hasTesters(state, family) ? [{ when: 'tester', slot: secondary }] : [];
  return [...tester, { when: 'trial', slot: secondary }, { when: 'always', slot: state.primary }];
}

function openness(state: ServiceState, slot: Slot): ServiceChains['open'][Slot] {
  if (state.pinned) return slot === liveSlot(state) ? 'always' : 'never';
  return slot === state.primary ? 'unless-trial' : 'in-trial';
}

function mustDirect(state: ServiceState, slot: Slot, family: Family): Address {
  const address = directedAddress(state.slots[slot], family);
  if (address === undefined)
    throw new Error(`${state.slots[slot].name} of ${state.service.name} has no IPv${family} address`);
  return address;
}

function protocolsOf(service: Service): Protocol[] {
  return (['tcp', 'udp'] as const).filter((protocol) =>
    service.ports.some((port) => port.protocol === protocol),
  );
}

function mappedPorts(service: Service): Target['mapped'] {
  return service.ports.flatMap(({ protocol, from, to, target }) =>
    target === null
      ? []
      : Array.from({ length: to - from + 1 }, (_, offset) => ({
          protocol,
          port: from + offset,
          target: target + offset,
        })),
  );
}

function places(state: ServiceState, family: Family): Item<DomuPlace>[] {
  return (['a', 'b'] as const).flatMap((slot) =>
    state.slots[slot].addresses
      .filter((address) => address.family === family)
      .map((address) => itemOf(address, { service: state.service.name, slot })),
  );
}

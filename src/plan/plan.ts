import { areSame, keep } from '../lib/keep.ts';
import type { Family } from '../model/address.ts';
import { FAMILIES } from '../model/address.ts';
import type { BridgeState, Choice, LinkAddress, SetState } from '../model/kernel-state.ts';
import type { DirectorState, ServiceState } from '../model/state.ts';
import { ChainPlanner } from './chain-planner.ts';
import { planService } from './chains.ts';
import type { FamilyPlan, ServicePlan } from './chains.ts';
import { planChoice } from './choice.ts';
import { planAnnounced, planBridge, planGateways, planSysctls } from './links.ts';
import { SetPlanner } from './set-planner.ts';
import { planElements } from './sets.ts';
import type { ServiceElements } from './sets.ts';

/** What the kernel should hold, as values: who is directed where, not how iptables spells it. */
export interface Plan {
  readonly bridges: readonly BridgeState[];
  readonly addresses: readonly LinkAddress[];
  readonly sets: readonly SetState[];
  readonly choice: Choice | null;
  /** null: no service uses this family, and nothing of it is loaded. */
  readonly families: Readonly<Record<Family, FamilyPlan | null>>;
  readonly sysctls: Readonly<Record<string, string>>;
}

/** Pure: the same state always gives the same plan. What has expired by now must not be in `state` any more. */
export const plan = (state: DirectorState): Plan => new Planner().plan(state);

/** A service's part of the plan. */
interface Planned {
  readonly bridge: BridgeState;
  readonly gateways: readonly LinkAddress[];
  readonly announced: readonly LinkAddress[];
  readonly chains: Readonly<Record<Family, ServicePlan | null>>;
  readonly elements: Readonly<Record<Family, ServiceElements>>;
}

/**
 * Plans one state after another. What it answers is what `plan` does; but where services are the same objects as the
 * last time, so is what was planned of them, and costs next to nothing.
 */
export class Planner {
  readonly #chains = { 4: new ChainPlanner(4), 6: new ChainPlanner(6) };
  readonly #sets = { 4: new SetPlanner(4), 6: new SetPlanner(6) };
  /** The services of the last time, and what was planned of them. */
  #last: { readonly services: readonly ServiceState[]; readonly planned: readonly Planned[] } = {
    services: [],
    planned: [],
  };
  #addresses: { readonly of: readonly (readonly LinkAddress[])[]; readonly all: readonly LinkAddress[] } = {
    of: [],
    all: [],
  };
  #host = { uplink: null as string | null, markMask: 0 };

  plan(state: DirectorState): Plan {
    const services = this.#plannedOf(state);
    const chains = (family: Family): FamilyPlan | null =>
      this.#chains[family].plan(
        services.flatMap((one) => one.chains[family] ?? []),
        state.markMask,
      );
    const families = { 4: chains(4), 6: chains(6) };
    const used = FAMILIES.filter((family) => families[family] !== null);
    return {
      bridges: services.map(({ bridge }) => bridge),
      addresses: this.#addressesOf(services),
      sets: used.flatMap((family) =>
        this.#sets[family].plan(services.map(({ elements }) => elements[family])),
      ),
      choice: used.length === 0 ? null : planChoice(state),
      families,
      sysctls: planSysctls(state, used),
    };
  }

  #plannedOf({ services, uplink, markMask }: DirectorState): readonly Planned[] {
    const isNewHost = this.#host.uplink !== uplink || this.#host.markMask !== markMask;
    const before = this.#last;
    this.#host = { uplink, markMask };
    let places: ReadonlyMap<string, number> | null = null;
    const all = services.map((state, at) => {
      if (state === before.services[at] && !isNewHost) return before.planned[at] as Planned;
      places ??= new Map(before.services.map(({ service }, place) => [service.name, place]));
      const place = places.get(state.service.name) ?? -1;
      const known = before.planned[place];
      if (known !== undefined && state === before.services[place] && !isNewHost) return known;
      return keep(known, planned(state, uplink, markMask));
    });
    this.#last = { services, planned: all };
    return all;
  }

  #addressesOf(services: readonly Planned[]): readonly LinkAddress[] {
    const of = services.flatMap(({ gateways, announced }) => [gateways, announced]);
    if (!areSame(of, this.#addresses.of)) this.#addresses = { of, all: addressesOf(services) };
    return this.#addresses.all;
  }
}

function planned(state: ServiceState, uplink: string | null, markMask: number): Planned {
  const { service } = state;
  return {
    bridge: planBridge(state),
    gateways: planGateways(service),
    announced: planAnnounced(service, uplink),
    chains: { 4: planService(state, 4, markMask), 6: planService(state, 6, markMask) },
    elements: { 4: planElements(state, 4), 6: planElements(state, 6) },
  };
}

/** Services may have an address together. */
function addressesOf(services: readonly Planned[]): LinkAddress[] {
  const announced = new Map<string, LinkAddress>();
  for (const service of services)
    for (const address of service.announced) announced.set(address.address.address, address);
  return [...services.flatMap(({ gateways }) => gateways), ...announced.values()];
}

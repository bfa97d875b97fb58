import type { Family } from '../model/address.ts';
import { FAMILIES } from '../model/address.ts';
import type { BridgeState, Choice, LinkAddress, SetState } from '../model/kernel-state.ts';
import { familiesOf } from '../model/service.ts';
import type { DirectorState } from '../model/state.ts';
import { planChains } from './chains.ts';
import type { FamilyPlan } from './chains.ts';
import { planChoice } from './choice.ts';
import { planAddresses, planBridges, planSysctls } from './links.ts';
import { planSets } from './sets.ts';

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
export function plan(state: DirectorState): Plan {
  const used = FAMILIES.filter((family) =>
    state.services.some(({ service }) => familiesOf(service).includes(family)),
  );
  return {
    bridges: planBridges(state),
    addresses: planAddresses(state),
    sets: used.flatMap((family) => planSets(state, family)),
    choice: used.length === 0 ? null : planChoice(state),
    families: {
      4: used.includes(4) ? planChains(state, 4) : null,
      6: used.includes(6) ? planChains(state, 6) : null,
    },
    sysctls: planSysctls(state, used),
  };
}

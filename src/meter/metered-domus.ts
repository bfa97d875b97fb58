import { domuOf } from '../model/state.ts';
import type { ServiceState } from '../model/state.ts';
import type { MeteredDomu, MeteredVif } from './options.ts';

/** All services' DomUs, with the roles that they have now. */
export function meteredDomus(states: readonly ServiceState[]): MeteredDomu[] {
  return states.flatMap((state) =>
    (['primary', 'secondary'] as const).map((role) => {
      const { name, vifs } = domuOf(state, role);
      return { service: state.service.name, role, domu: name, vifs };
    }),
  );
}

/** Their vifs, one by one. */
export const vifsOf = (domus: readonly MeteredDomu[]): MeteredVif[] =>
  domus.flatMap(({ vifs, ...domu }) => vifs.map((ifname) => ({ ...domu, ifname })));

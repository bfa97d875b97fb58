import { domuOf } from '../model/state.ts';
import type { ServiceState } from '../model/state.ts';
import type { MeteredVif } from './options.ts';

/** The vifs of all services' DomUs, with the roles that they have now. */
export function meteredVifs(states: readonly ServiceState[]): MeteredVif[] {
  return states.flatMap((state) =>
    (['primary', 'secondary'] as const).flatMap((role) => {
      const { name, vifs } = domuOf(state, role);
      return vifs.map((ifname) => ({ ifname, service: state.service.name, role, domu: name }));
    }),
  );
}

import { readConfig } from './config/index.ts';
import { guestNetwork } from './guest/guest-network.ts';
import type { GuestNetwork } from './guest/guest-network.ts';
import type { Fault } from './lib/errors.ts';

/** `director vif --config FILE`: what the daemon would answer, of a file that need not be served. */
export async function vif(wanted: {
  readonly config: string;
  readonly service: string;
  readonly domu: string;
  readonly interface?: string | undefined;
}): Promise<{ readonly network: GuestNetwork } | { readonly faults: readonly Fault[] }> {
  const read = await readConfig(wanted.config);
  if ('faults' in read) return { faults: read.faults };
  const { services } = read.config;
  const service = services.find(({ name }) => name === wanted.service);
  if (service === undefined) return none(`services.${wanted.service}`, 'there is no such service');
  const network = guestNetwork(services, service, wanted.domu, wanted.interface);
  if (network !== null) return { network };
  const names = service.domus.map(({ name }) => name).join(' and ');
  return none(`services.${service.name}.domus`, `none is called ${wanted.domu}; there are ${names}`);
}

const none = (path: string, message: string): { readonly faults: readonly Fault[] } => ({
  faults: [{ path, message }],
});

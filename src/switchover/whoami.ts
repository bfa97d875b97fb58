import type { Address } from '../model/address.ts';
import { contains, formatSource } from '../model/address.ts';
import type { ServiceState, Tester } from '../model/state.ts';
import { domuOf, liveRole } from '../model/state.ts';
import type { WhoamiRow } from './director.ts';

/** Where a new connection from this address goes: the same decision as the rules', told in words. null: this host. */
export function whoami(source: Address | null, services: readonly ServiceState[]): WhoamiRow[] {
  return services.map((state) => directionOf(source, state));
}

function directionOf(source: Address | null, state: ServiceState): WhoamiRow {
  const live = liveRole(state);
  const tester =
    source === null || state.testing === 'closed'
      ? undefined
      : state.testers.find((one) => contains(one.source, source));
  const role = tester === undefined ? live : 'secondary';
  const row = {
    service: state.service.name,
    domu: domuOf(state, role).name,
    role,
    live: role === live,
    testing: state.testing,
  };
  return { ...row, reason: tester === undefined ? liveReason(state) : testerReason(tester) };
}

function testerReason({ source, kind, expiresAt }: Tester): string {
  const until = expiresAt === null ? '' : ` until ${new Date(expiresAt).toISOString()}`;
  return kind === 'permanent'
    ? `tester by the configuration (${formatSource(source)})`
    : `enrolled as a tester (${formatSource(source)})${until}`;
}

function liveReason({ trial }: ServiceState): string {
  if (trial === null) return 'everybody is directed to the primary';
  const until = trial.confirmBy === null ? '' : ` until ${new Date(trial.confirmBy).toISOString()}`;
  return `on trial: everybody is directed to the secondary${until}`;
}

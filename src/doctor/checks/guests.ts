import { systemClock } from '../../lib/clock.ts';
import type { Domu, Service } from '../../model/service.ts';
import type { Domain, Presence } from '../../xen/hypervisor.ts';
import { domainName, guestKey, matchGuests } from '../../xen/match.ts';
import { openHypervisor } from '../../xen/open.ts';
import { check } from '../check.ts';
import { ok, some, warning, word } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

export interface GuestsSeen {
  /** What the director asks. */
  readonly presence: Presence;
  /** Whether this is a Dom0, whatever the configuration says. */
  readonly isDom0: boolean;
  readonly services: readonly Pick<Service, 'name' | 'bridge' | 'domus'>[];
  readonly domains: readonly Domain[];
}

/** DomUs as Xen has them. One that is not there is a guest that does not run, as a secondary may. */
export function judgeGuests({ presence, isDom0, services, domains }: GuestsSeen): Verdict[] {
  if (presence.kind === 'none') {
    if (!isDom0) return [ok(`${presence.reason}: guests are known by the names of their interfaces`)];
    const why =
      'one that has crashed or is paused is not known to be, and vifs are found by the names in the configuration alone';
    return [warning('Xen is not asked about guests, though this is its Dom0: xen: off', why)];
  }
  const guests = matchGuests(services, domains);
  const found = services.flatMap((service) =>
    service.domus.flatMap((domu) => {
      const { domain = null, vifs = [] } = guests.get(guestKey(service.name, domu.name)) ?? {};
      if (domain === null) return [];
      return [...judgeState(domu, domain), ...judgeVifs(service, domu, { domain, vifs })];
    }),
  );
  return found.length > 0 ? found : [ok('Xen answers, and finds nothing wrong with DomUs')];
}

function judgeState(domu: Domu, { state }: Domain): Verdict[] {
  const why = 'it answers nobody, and is refused as a target of a switch unless forced';
  if (state === 'crashed')
    return [warning(`${domu.name} has crashed`, why, `director domu console ${word(domu.name)}`)];
  if (state === 'paused')
    return [warning(`${domu.name} is paused`, why, `xl unpause ${word(domainName(domu))}`)];
  return [];
}

interface Found {
  readonly domain: Domain;
  readonly vifs: readonly string[];
}

function judgeVifs(
  { name, bridge }: GuestsSeen['services'][number],
  domu: Domu,
  { domain, vifs }: Found,
): Verdict[] {
  const command = `director vif ${word(name)} ${word(domu.name)}`;
  if (domain.vifs.length > 0 && vifs.length === 0 && domain.vifs.every(({ connected }) => connected))
    return [
      warning(
        `none of the vifs of ${domu.name} is known to be the one that serves ${name}`,
        'it is left on whatever bridge it is on; its MAC, name or bridge would tell',
        command,
      ),
    ];
  const elsewhere = domain.vifs.filter((vif) => vifs.includes(vif.name) && vif.bridge !== bridge.name);
  if (elsewhere.length === 0) return [];
  const bridges = some([...new Set(elsewhere.map((vif) => vif.bridge ?? 'no bridge'))]);
  return [
    warning(
      `the guest configuration of ${domu.name} names ${bridges} instead of ${bridge.name}`,
      'at each start Xen’s script puts it there, and until the director has moved it, nothing keeps it dark',
      command,
    ),
  ];
}

async function look({ xen, services }: Ground): Promise<GuestsSeen> {
  const hypervisor = openHypervisor({ clock: systemClock, wanted: xen });
  try {
    const { presence } = hypervisor;
    const isDom0 = presence.kind === 'xen' || dom0Regardless();
    return { presence, isDom0, services, domains: await hypervisor.domains() };
  } finally {
    hypervisor.close();
  }
}

function dom0Regardless(): boolean {
  const hypervisor = openHypervisor({ clock: systemClock, wanted: 'auto' });
  hypervisor.close();
  return hypervisor.presence.kind === 'xen';
}

export const guestsCheck = check('guests', look, judgeGuests);

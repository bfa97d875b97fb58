import { Refusal } from '../lib/errors.ts';
import { isStanding } from '../model/stage.ts';
import { domuOf, liveRole } from '../model/state.ts';
import type { Role } from '../model/state.ts';
import type { DomainState } from '../model/records.ts';
import { mustReadConsole } from '../stage/console.ts';
import { domainOf } from '../stage/inspect.ts';
import type { Domain } from '../xen/hypervisor.ts';
import { domainNamed } from '../xen/hypervisor.ts';
import { journal, publish, stateOf } from './context.ts';
import type { Actor } from './director.ts';
import { mustFindDomu, refuseNeeded } from './staging.ts';
import type { Staging } from './staging.ts';

/** A DomU of a service, and what Xen says of it. */
export interface DomuRow {
  readonly domu: string;
  readonly service: string;
  readonly role: Role;
  readonly live: boolean;
  /** Null: nobody can be asked here. */
  readonly state: DomainState | null;
  readonly domid: number | null;
  /** Of which stage it is. */
  readonly stage: string | null;
}

export async function listDomus({ context, host }: Staging): Promise<DomuRow[]> {
  const { presence } = host.hypervisor;
  const domains = presence.kind === 'none' ? null : await host.hypervisor.domains();
  const standing = context.store.stages().filter(isStanding);
  return stateOf(context).services.flatMap((state) =>
    (['primary', 'secondary'] as const).map((role): DomuRow => {
      const domu = domuOf(state, role);
      const found = domainNamed(domains ?? [], domainOf(domu));
      return {
        domu: domu.name,
        service: state.service.name,
        role,
        live: liveRole(state) === role,
        state: stateIn(domains, found),
        domid: found?.domid ?? null,
        stage: standing.find((record) => record.domu === domu.name)?.id ?? null,
      };
    }),
  );
}

function stateIn(domains: readonly Domain[] | null, found: Domain | undefined): DomainState | null {
  return domains === null ? null : (found?.state ?? 'absent');
}

export async function domuConsole(
  { context, host }: Staging,
  name: string,
  lines: number,
): Promise<string[]> {
  const { domu } = mustFindDomu(context, name);
  return mustReadConsole(host, domainOf(domu), lines);
}

/** Ends a dark DomU at once, like pulling the plug; what it runs on stays. */
export async function destroyDomu(staging: Staging, name: string, actor: Actor): Promise<void> {
  const { context, host } = staging;
  const { service, domain } = await staging.inTurn(() => {
    const { entry, domu } = mustFindDomu(context, name);
    refuseNeeded(context, entry, name);
    context.reserved.set(entry.service.name, `${name} is being ended`);
    return { service: entry.service.name, domain: domainOf(domu) };
  });
  try {
    const ended = await host.hypervisor.destroy(domain);
    if (!ended) throw new Refusal('conflict', `${name} does not run; nothing was done`);
    const text = `${name} is ended at once (destroyed)`;
    publish(
      context,
      context.store.write(() => journal(context, 'destroy', [service], actor, text, { domu: name })),
    );
  } finally {
    context.reserved.delete(service);
    context.events.emit('service', service);
  }
}

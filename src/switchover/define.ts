import { crossCheckOne, definitionPrint, describeService, parseService } from '../config/index.ts';
import { Refusal } from '../lib/errors.ts';
import type { Fault } from '../lib/errors.ts';
import { markCapacity } from '../model/mark.ts';
import type { Service } from '../model/service.ts';
import { change } from './change.ts';
import { note } from './note.ts';
import type { Context } from './context.ts';
import { journal, watchDomus } from './context.ts';
import type { Actor } from './director.ts';
import { adoptSenders, end } from './flows.ts';
import { idAllocator } from './load.ts';
import type { Entry } from './registry.ts';
import { domuAt, placeSlots } from './registry.ts';
import { mustFind } from './switch-over.ts';

/** Defines a service, or defines it anew. What is wrong with it is a fault each; nothing has changed then. */
export async function define(
  context: Context,
  name: string,
  definition: unknown,
  actor: Actor,
  ifMatch?: number,
): Promise<boolean> {
  const old = context.entries.get(name);
  refuseStale(name, old, ifMatch);
  const service = readDefinition(context, name, definition);
  if (old?.trial != null) refuseDuringTrial(name);
  const entry = entryFor(context, service, old);
  const verb = old === undefined ? 'defined' : 'defined anew';
  await change(context, {
    actor,
    changed: [entry],
    save: () => {
      if (old === undefined) context.store.saveLastId(Math.max(context.store.lastId(), entry.id));
      context.store.forgetRemoval(name);
      return [
        journal(context, 'define', [name], actor, `${name} is ${verb}`, {
          definition: describeService(service),
        }),
      ];
    },
  });
  watchDomus(context);
  await settleFlows(context, old, entry);
  return old === undefined;
}

function readDefinition(context: Context, name: string, definition: unknown): Service {
  const parsed = parseService(name, definition);
  if ('faults' in parsed) throw refusal('invalid', name, parsed.faults);
  const before = context.entries.get(name)?.service;
  const others = Array.from(context.entries.values(), ({ service }) => service).filter(
    (service) => service !== before,
  );
  const faults = crossCheckOne(parsed.service, others, context.config, before);
  if (faults.length > 0) throw refusal('unprocessable', name, faults);
  return parsed.service;
}

function refusal(kind: 'invalid' | 'unprocessable', name: string, faults: readonly Fault[]): Refusal {
  return new Refusal(
    kind,
    `the definition of ${name} ${kind === 'invalid' ? 'is wrong' : 'does not fit'}; nothing was changed`,
    { faults },
  );
}

function refuseStale(name: string, old: Entry | undefined, ifMatch: number | undefined): void {
  if (ifMatch === undefined || old?.generation === ifMatch) return;
  const now =
    old === undefined
      ? `${name} does not exist any more`
      : `${name} is at generation ${old.generation}, not ${ifMatch}`;
  throw new Refusal('stale', `${now}: somebody has changed it; nothing was changed`, {
    hint: 'read it again, and decide anew',
  });
}

export function refuseDuringTrial(name: string): never {
  throw new Refusal('conflict', `${name} is on trial; its definition cannot change now`, {
    hint: `end the trial first: "director confirm ${name}" or "director rollback ${name}"`,
  });
}

function entryFor(context: Context, service: Service, old: Entry | undefined): Entry {
  const common = {
    service,
    source: 'api' as const,
    filePrint: printInFile(context, service.name),
    slots: placeSlots(service, old?.slots ?? null),
  };
  if (old !== undefined) return { ...old, ...common, generation: old.generation + 1 };
  const capacity = markCapacity(context.config.markMask);
  if (context.entries.size >= capacity) {
    throw new Refusal(
      'unprocessable',
      `the conntrack mark's mask tells apart ${capacity} services; widen mark.mask in the configuration`,
    );
  }
  const used = new Set([...context.entries.values()].map(({ id }) => id));
  const id = idAllocator(context.store.lastId(), used, capacity).next();
  return {
    ...common,
    id,
    primary: 'a',
    testing: 'open',
    heldUntil: null,
    generation: 1,
    leases: [],
    trial: null,
    pinned: false,
  };
}

function printInFile({ config }: Context, name: string): string | null {
  const service = config.services.find((one) => one.name === name);
  return service === undefined ? null : definitionPrint(service);
}

/** Flows whose DomU has another address now, and senders that are older than the service. */
export async function settleFlows(context: Context, old: Entry | undefined, entry: Entry): Promise<void> {
  try {
    if (old !== undefined) await endMoved(context, old, entry);
    await adoptSenders(context, [entry.service]);
  } catch (error) {
    note(
      context,
      [entry.service.name],
      'the definition counts, but flows from before it could not be ended',
      error,
    );
  }
}

async function endMoved(context: Context, old: Entry, entry: Entry): Promise<void> {
  for (const slot of ['a', 'b'] as const) {
    const [before, after] = [domuAt(old, slot), domuAt(entry, slot)];
    if (JSON.stringify(before.addresses) === JSON.stringify(after.addresses)) continue;
    for (const protocol of ['tcp', 'udp'] as const) await end(context, old, slot, protocol);
  }
}

export async function remove(context: Context, name: string, actor: Actor, ifMatch?: number): Promise<void> {
  const old = mustFind(context, name);
  refuseStale(name, old, ifMatch);
  if (old.trial !== null) refuseDuringTrial(name);
  const inFile = printInFile(context, name);
  await change(context, {
    actor,
    changed: [],
    removed: [name],
    save: () => {
      if (inFile !== null) context.store.saveRemoval(name, inFile);
      return [
        journal(context, 'remove', [name], actor, `${name} is removed`, {
          definition: describeService(old.service),
        }),
      ];
    },
  });
  watchDomus(context);
  await forgetFlows(context, old);
}

/** Connections of a service that is gone may end by themselves; its UDP senders must not go on for ever. */
export async function forgetFlows(context: Context, old: Entry): Promise<void> {
  try {
    for (const slot of ['a', 'b'] as const) await end(context, old, slot, 'udp');
  } catch (error) {
    note(context, [old.service.name], 'the service is removed, but its UDP flows could not be ended', error);
  }
}

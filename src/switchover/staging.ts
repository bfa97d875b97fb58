import { Refusal } from '../lib/errors.ts';
import { domuOf } from '../model/state.ts';
import type { Role } from '../model/state.ts';
import type { Domu, Service } from '../model/service.ts';
import type { StageRecord, StageSettings } from '../model/stage.ts';
import type { StageHost } from '../stage/host.ts';
import type { Context } from './context.ts';
import { note } from './note.ts';
import type { Entry } from './registry.ts';
import { toState } from './registry.ts';
import { refuseReserved } from './switch-over.ts';

/** What the verbs that make and take away DomUs share. */
export interface Staging {
  readonly context: Context;
  readonly host: StageHost;
  /** Has its turn after everything that changes roles and before what comes later. */
  readonly inTurn: <T>(work: () => T | Promise<T>) => Promise<T>;
  /** What is under way, by stage, and how it is called off. */
  readonly runs: Map<string, Run>;
}

export interface Run {
  readonly abort: AbortController;
  ended: Promise<void>;
}

export const serviceDomu = ({ context }: Staging, entry: Entry, role: Role): Domu =>
  domuOf(toState(entry, context.clock.now()), role);

/** The file's word counts, whoever has defined the service since. */
export function settingsOf(context: Context, name: string): StageSettings | null {
  return context.config.services.find((service) => service.name === name)?.stage ?? null;
}

export const allServices = (context: Context): Service[] =>
  [...context.entries.values()].map(({ service }) => service);

/** The service of a DomU, and what it is there. */
export function mustFindDomu(context: Context, name: string): { entry: Entry; domu: Domu } {
  for (const entry of context.entries.values()) {
    const domu = entry.service.domus.find((each) => each.name === name);
    if (domu !== undefined) return { entry, domu };
  }
  throw new Refusal('unknown', `no service has a DomU "${name}"`, {
    hint: '"director domu list" lists them',
  });
}

/** A DomU that customers are on, or would be brought back to, is not taken away. */
export function refuseNeeded(context: Context, entry: Entry, domu: string): void {
  const { service, trial, slots, primary } = entry;
  if (trial !== null)
    throw new Refusal(
      'conflict',
      `${service.name} is on trial (switch ${trial.id}), which needs both of its DomUs; nothing was done`,
      {
        hint: `end the trial first: "director confirm ${service.name}" or "director rollback ${service.name}"`,
      },
    );
  if (slots[primary] === domu)
    throw new Refusal(
      'conflict',
      `${domu} is live: customers of ${service.name} are on it; nothing was done`,
    );
  refuseReserved(context, service.name);
}

/** `work` goes on by itself; until it has ended the service is reserved. It must not throw. */
export function goOn(
  { context, runs }: Staging,
  { id, service }: StageRecord,
  work: (signal: AbortSignal) => Promise<void>,
): void {
  const run: Run = { abort: new AbortController(), ended: Promise.resolve() };
  runs.set(id, run);
  run.ended = work(run.abort.signal)
    .catch((error: unknown) => note(context, [service], 'a stage could not be written down', error))
    .finally(() => {
      runs.delete(id);
      context.reserved.delete(service);
      context.events.emit('service', service);
    });
}

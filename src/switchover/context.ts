import type { Config, ReadConfig } from '../config/index.ts';
import { describeService } from '../config/index.ts';
import type { HealthMonitor } from '../health/monitor.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Clock } from '../lib/clock.ts';
import type { Events } from '../lib/events.ts';
import type { SerialQueue } from '../lib/queue.ts';
import { replacedKeys } from '../lib/replaced.ts';
import { formatNetwork } from '../model/address.ts';
import type { JournalKind, JournalRecord } from '../model/records.ts';
import type { DirectorState, ServiceState } from '../model/state.ts';
import type { Operation } from '../model/operation.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { ServiceRow, Store } from '../store/store.ts';
import type { GuestInterfaces, Guests } from '../xen/guests.ts';
import type { Unfinished } from './confirm.ts';
import type { Actor, DirectorEvents } from './director.ts';
import type { Old } from './flows.ts';
import type { Entries, Entry } from './registry.ts';
import { confirmedEntry, endsOf, eventfulOf, isDecided, toState, withEntries } from './registry.ts';

export { withEntries };

/**
 * Why a switch came to what it came to: somebody asked for it, its time was up, the kernel or the store did not take it,
 * or a director found at its start what another one had left.
 */
export type Cause = 'asked' | 'deadline' | 'failure' | 'recovery';

/** What metrics want to know of what happens; told synchronously, must not throw. */
export interface EngineEvents extends DirectorEvents {
  /** The kernel has answered: new connections of these services go elsewhere from now on. */
  flip: { micros: number; services: readonly string[] };
  outcome: {
    state: 'trial' | 'confirmed' | 'rolled-back' | 'expired' | 'failed' | 'refused';
    cause: Cause;
  };
  /** Packets of services wait: because somebody asked for it, or for the time of a switch. */
  held: { cause: 'asked' | 'switch' };
  reconciled: { seconds: number; operations: readonly Operation[]; repair: boolean };
  'reconcile-failed': { error: unknown };
  /** The kernel was looked at and is as it should be. */
  undisturbed: object;
}

interface KnownState {
  readonly config: Config;
  readonly interfaces: GuestInterfaces | null;
  /** Milliseconds since the epoch; `until` not included. */
  readonly from: number;
  readonly until: number;
  readonly state: DirectorState;
}

interface LastState {
  readonly entries: Entries;
  readonly known: KnownState;
}

/** What every verb works with. `entries` and `config` are replaced, never changed in place. */
export interface Context {
  readonly kernel: Kernel;
  readonly store: Store;
  readonly reconciler: Reconciler;
  readonly health: HealthMonitor;
  readonly guests: Guests;
  readonly clock: Clock;
  readonly events: Events<EngineEvents>;
  readonly queue: SerialQueue;
  /** Reads the configuration's file anew; whatever is as it was may be the same object. */
  readonly readConfig: (current: Config) => Promise<ReadConfig>;
  /** Where each service's next moment is kept: a trial's deadline, a hold's or a lease's end. */
  readonly wake: () => void;
  config: Config;
  entries: Entries;
  /** Confirms whose rules are still to be changed; the watch goes on with them. */
  readonly unfinished: Unfinished[];
  /** What the kernel has already and the disk would not take; the watch goes on trying. */
  readonly unsaved: (() => void)[];
  /** Services of which a DomU is being made or taken away, with what is under way: nobody is switched meanwhile. */
  readonly reserved: Map<string, string>;
  /** DomUs that a flip leaves, until their flows are ended. */
  leaving: readonly Old[];
  /** What stateOf() has made of entries, and for how long it holds. */
  readonly states: WeakMap<Entries, KnownState>;
  /** What it has made last, and of which. */
  lastState: LastState | null;
  /** Torn down: nothing is directed any more. */
  down: boolean;
}

/** The same object as before while nothing has changed and nothing has come to its end. */
export function stateOf(context: Context, entries: Entries = context.entries): DirectorState {
  const { clock, config, states, lastState: last } = context;
  const { interfaces } = context.guests;
  const now = clock.now();
  const holds = ({ from, until, ...of }: KnownState): boolean =>
    of.config === config && of.interfaces === interfaces && now >= from && now < until;
  const known = states.get(entries);
  if (known !== undefined && holds(known)) return known.state;
  const toNow = (entry: Entry): ServiceState => toState(entry, now, interfaces);
  const services =
    (last !== null && holds(last.known) ? servicesAfter(last, entries, toNow) : null) ??
    Array.from(entries.values(), toNow);
  const { uplink, markMask } = config;
  const connected = interfaces === null ? {} : { connected: interfaces.connected };
  const state = { uplink, markMask, services, ...connected };
  const made = { config, interfaces, from: now, until: nextEnd(entries, now), state };
  states.set(entries, made);
  context.lastState = { entries, known: made };
  return state;
}

/** Where few of ten thousand entries are others than the last time; null where that is not known. */
function servicesAfter(
  { entries: before, known }: LastState,
  entries: Entries,
  toNow: (entry: Entry) => ServiceState,
): ServiceState[] | null {
  const changed = replacedKeys(before, entries);
  if (changed === null) return null;
  const names = new Set([...changed].filter((name) => before.get(name) !== entries.get(name)));
  const services = [...known.state.services];
  for (let at = 0; names.size > 0 && at < services.length; at++) {
    const name = services[at]?.service.name ?? '';
    const entry = names.delete(name) ? entries.get(name) : undefined;
    if (entry !== undefined) services[at] = toNow(entry);
  }
  return services;
}

/** The next moment after `now` at which something of theirs ends by itself; Infinity where nothing will. */
function nextEnd(entries: Entries, now: number): number {
  let next = Infinity;
  for (const entry of eventfulOf(entries))
    for (const end of endsOf(entry)) if (end > now && end < next) next = end;
  return next;
}

/** From now on it is looked after the DomUs of these services. */
export function watchDomus({ entries, guests, health }: Context): void {
  const services = [...entries.values()].map(({ service }) => service);
  health.watch(services);
  guests.watch(services);
}

/** To be called inside a store transaction; the event goes out with `publish` after it. */
export function journal(
  context: Context,
  kind: JournalKind,
  services: readonly string[],
  actor: Actor,
  text: string,
  details: Record<string, unknown> = {},
): JournalRecord {
  return context.store.append({
    at: context.clock.now(),
    kind,
    services,
    by: actor.by,
    text,
    why: actor.reason ?? null,
    details,
  });
}

export function publish(context: Context, ...records: readonly JournalRecord[]): void {
  for (const record of records) context.events.emit('journal', record);
}

/** What is kept of it. A confirm that is decided counts here, however far the rules are. */
export function toRow(entry: Entry): ServiceRow {
  const kept = isDecided(entry) ? confirmedEntry(entry) : entry;
  const { service, id, slots, primary, testing, heldUntil, generation, source, filePrint } = kept;
  const definition = source === 'api' ? describeService(service) : null;
  return { name: service.name, id, slots, primary, testing, heldUntil, generation, definition, filePrint };
}

/** To be called inside a store transaction. Not for a confirm or a flip, which change nobody's testers. */
export function saveEntry({ store, clock }: Context, entry: Entry): void {
  const sources = [...entry.service.testers, ...entry.leases.map(({ source }) => source)];
  store.saveService(toRow(entry));
  store.saveEnrolments(entry.service.name, sources.map(formatNetwork), clock.now());
}

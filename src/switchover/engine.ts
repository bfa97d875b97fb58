import type { Config, ReadConfig } from '../config/index.ts';
import { parseService, readConfig as readFile } from '../config/index.ts';
import { endpointsOf } from '../health/endpoints.ts';
import { greet } from '../health/greet.ts';
import type { HealthMonitor } from '../health/monitor.ts';
import type { Kernel, Traffic } from '../kernel/kernel.ts';
import type { Clock } from '../lib/clock.ts';
import { DirectorError, messageOf, Refusal } from '../lib/errors.ts';
import { Events } from '../lib/events.ts';
import { SerialQueue } from '../lib/queue.ts';
import { atOnce, inTurns } from '../lib/turn.ts';
import type { Address, Network } from '../model/address.ts';
import { encodeMark } from '../model/mark.ts';
import type { KernelState } from '../model/kernel-state.ts';
import type {
  DomainReport,
  Drain,
  HealthReport,
  JournalRecord,
  ServiceSnapshot,
  SwitchRecord,
} from '../model/records.ts';
import type { StageRecord } from '../model/stage.ts';
import { domuOf } from '../model/state.ts';
import type { Role, ServiceState, Slot, Testing } from '../model/state.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { renderRestore } from '../render/restore.ts';
import type { StageHost } from '../stage/host.ts';
import type { Store } from '../store/store.ts';
import type { Guests } from '../xen/guests.ts';
import { isAsLeft } from './as-left.ts';
import { bequeath } from './bequeath.ts';
import { applyEntries } from './change.ts';
import { confirm } from './confirm.ts';
import type { Context, EngineEvents } from './context.ts';
import { journal, saveEntry, stateOf, watchDomus } from './context.ts';
import { nextDeadline, passDeadlines } from './deadlines.ts';
import { define, remove } from './define.ts';
import type {
  Actor,
  Director,
  DomuGreetings,
  DomuTraffic,
  PendingPlan,
  Readiness,
  SwitchOrder,
  WhoamiRow,
} from './director.ts';
import type { DomuRow } from './domus.ts';
import { destroyDomu, domuConsole, listDomus } from './domus.ts';
import type { Counted } from './drain.ts';
import { drainsOf } from './drain.ts';
import { endTrial } from './end-trial.ts';
import { healthOf } from './fitness.ts';
import { endStrays, leaveOld, stillOld } from './flows.ts';
import { followGuests } from './follow-guests.ts';
import { hold, release } from './hold.ts';
import { load } from './load.ts';
import type { Loaded } from './load.ts';
import { recover } from './recover.ts';
import type { Left } from './recover.ts';
import { preview } from './preview.ts';
import type { SwitchPreview } from './preview.ts';
import type { Entry } from './registry.ts';
import { toState } from './registry.ts';
import { reload } from './reload.ts';
import { ANSWERS_MS, Retention } from './retention.ts';
import { rulesAbout } from './rules.ts';
import type { KernelRules } from './rules.ts';
import { stage } from './stage.ts';
import { StageKeeper } from './stage-keeper.ts';
import type { Staging } from './staging.ts';
import { mustFind, probeTargets, switchOver } from './switch-over.ts';
import { teardown } from './teardown.ts';
import { settleAllSenders } from './senders.ts';
import { enrol, setTesting, unenrol } from './testers.ts';
import { servicesTouched } from './touched.ts';
import { unstage } from './unstage.ts';
import { saveInTurn } from './unsaved.ts';
import { Watch } from './watch.ts';
import { whoami } from './whoami.ts';

export interface EngineParts {
  readonly config: Config;
  readonly kernel: Kernel;
  readonly store: Store;
  readonly reconciler: Reconciler;
  readonly health: HealthMonitor;
  readonly guests: Guests;
  readonly clock: Clock;
  /** What DomUs are made and taken away with. */
  readonly stageHost: StageHost;
  /** Reads the file for a reload; here and now unless said. */
  readonly readConfig?: (current: Config) => Promise<ReadConfig>;
}

export interface Monitored {
  /** Old connections that will be cut: those of this service on this slot, at this time. */
  readonly drains: readonly { readonly service: string; readonly slot: Slot; readonly until: number }[];
  /** By service: since when its longest-standing tester has been one. */
  readonly oldestEnrolments: ReadonlyMap<string, number>;
  /** The disk took what was last written. */
  readonly writable: boolean;
  readonly markMask: number;
  /** Xen tells how the DomUs are; null where there is none. */
  readonly xenAnswers: boolean | null;
}

/** How long a count of all flows is good for; one dump serves everybody who asks meanwhile. Milliseconds. */
const FLOWS_FRESH_MS = 500;
/** The same for a look at all rules and sets. */
const RULES_FRESH_MS = 1000;
/** How long what the DomUs of a service said is told again: nobody knocks there more often for it. Milliseconds. */
const GREETINGS_FRESH_MS = 3000;
/** How long a start waits for Xen, which has more to do than usual when its host starts. Milliseconds. */
const FIRST_LOOK_MS = 3000;
/** So many ports of a DomU are listened to. */
const MOST_GREETED = 3;

/** The director as the API sees it: every verb that changes something, one after another. */
export class Engine implements Director {
  readonly events: Events<EngineEvents>;
  readonly #context: Context;
  readonly #watch: Watch;
  readonly #retention: Retention;
  readonly #staging: Staging;
  readonly #stageKeeper: StageKeeper;
  #cancelWake: () => void = () => undefined;
  #problem: { text: string; since: number } | null = null;
  #since: number;
  #started = false;
  #stopped = false;
  #counted: { at: number; flows: Promise<Counted> } | null = null;
  #observed: { at: number; state: Promise<KernelState> } | null = null;
  readonly #greeted = new Map<string, { at: number; domus: Promise<DomuGreetings[]> }>();

  constructor({ stageHost, readConfig = ({ file }) => readFile(file), ...parts }: EngineParts) {
    this.events = new Events<EngineEvents>();
    this.#since = parts.clock.now();
    this.#context = {
      ...parts,
      readConfig,
      events: this.events,
      queue: new SerialQueue(),
      entries: new Map(),
      unfinished: [],
      unsaved: [],
      leaving: [],
      reserved: new Map(),
      states: new WeakMap(),
      lastState: null,
      down: false,
      wake: () => this.#schedule(),
    };
    this.#watch = new Watch(this.#context);
    this.#retention = new Retention(this.#context);
    this.#staging = {
      context: this.#context,
      host: stageHost,
      inTurn: (work) => this.#change(work),
      runs: new Map(),
    };
    this.#stageKeeper = new StageKeeper(this.#staging);
    this.events.on('reconcile-failed', ({ error }) => this.#setProblem(messageOf(error)));
    this.events.on('reconciled', () => this.#setProblem(null));
    this.events.on('undisturbed', () => this.#setProblem(null));
  }

  /** Takes over what is there: store, kernel, whatever was interrupted. Throws DirectorError; the kernel is untouched then. */
  async start(): Promise<void> {
    const context = this.#context;
    const loaded = this.#load();
    // Whose vifs are whose is known before anything is put on a bridge.
    context.guests.watch([...context.entries.values()].map(({ service }) => service));
    await context.guests.lookWithin(FIRST_LOOK_MS);
    const asLeft = await isAsLeft(context);
    if (!asLeft) await this.#mustBeFit();
    this.#saveLoaded(loaded);
    this.#stageKeeper.start();
    await context.queue.run(() => this.#takeOver(asLeft));
    watchDomus(context);
    context.health.onChange((service) => this.events.emit('service', service));
    this.#started = true;
    this.#schedule();
    this.#watch.start();
    followGuests(context, () => this.#watch.lookAgain());
    this.#retention.start();
  }

  #load(): Loaded {
    const context = this.#context;
    const loaded = atOnce(load(context.config, context.store));
    if ('faults' in loaded) {
      throw new Refusal(
        'unprocessable',
        'the configuration and what was defined over the API do not fit together',
        { faults: loaded.faults },
      );
    }
    context.entries = loaded.entries;
    return loaded;
  }

  /** What is new must be known to the next director too. Where nothing is, a full disk keeps nobody from going back. */
  #saveLoaded(loaded: Loaded): void {
    const context = this.#context;
    const { store } = context;
    const { lastId, overtaken, gone } = loaded;
    const unsaved = loaded.unsaved();
    if (lastId === store.lastId() && overtaken.length + gone.length + unsaved.length === 0) return;
    store.write(() => {
      store.saveLastId(lastId);
      for (const name of overtaken) store.forgetRemoval(name);
      for (const name of gone) store.removeService(name);
      for (const entry of unsaved) saveEntry(context, entry);
    });
  }

  /** The state is planned while other processes look at the host. */
  async #mustBeFit(): Promise<void> {
    const context = this.#context;
    const looked = context.kernel.missing();
    looked.catch(() => undefined);
    context.reconciler.prepare(stateOf(context));
    const missing = await looked;
    if (missing.length > 0)
      throw new DirectorError(`this host cannot direct traffic yet:\n  ${missing.join('\n  ')}`);
  }

  async #takeOver(asLeft: boolean): Promise<void> {
    const context = this.#context;
    if (asLeft) this.events.emit('undisturbed', {});
    else await this.#bringTo(await recover(context));
    const text = `the director has started with ${context.entries.size} services`;
    try {
      saveInTurn(context, () => journal(context, 'start', [], { by: 'director' }, text));
    } catch (error) {
      this.events.emit('reconcile-failed', { error });
    }
  }

  async #bringTo(left: readonly Left[]): Promise<void> {
    const context = this.#context;
    await endStrays(context, await applyEntries(context, context.entries, false));
    for (const { old, connections } of left) await leaveOld(context, stillOld(context, old), connections);
    await settleAllSenders(context);
  }

  /** The kernel stays as it is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelWake();
    this.#watch.stop();
    this.#retention.stop();
    await this.#stageKeeper.stop();
    this.#context.health.close();
    this.#context.guests.close();
    await this.#context.queue.idle();
    if (this.#started)
      this.#context.store.write(() =>
        journal(
          this.#context,
          'stop',
          [],
          { by: 'director' },
          'the director has stopped; the kernel goes on directing',
        ),
      );
  }

  #setProblem(text: string | null): void {
    if ((text === null) !== (this.#problem === null)) this.#since = this.#context.clock.now();
    this.#problem = text === null ? null : { text, since: this.#problem?.since ?? this.#since };
  }

  #schedule(): void {
    this.#cancelWake();
    bequeath(this.#context);
    // What is torn down, or stopped, has nothing to wake up for: its deadlines would all be past for ever.
    const next = this.#stopped || this.#context.down ? null : nextDeadline(this.#context);
    if (next === null) return;
    this.#cancelWake = this.#context.clock.after(
      Math.max(next - this.#context.clock.now(), 1),
      () => void this.#wake(),
    );
  }

  async #wake(): Promise<void> {
    const context = this.#context;
    try {
      await context.queue.run(async () => {
        if (!context.down) await passDeadlines(context);
      });
      this.#schedule();
    } catch (error) {
      this.events.emit('reconcile-failed', { error });
      if (!this.#stopped) this.#cancelWake = context.clock.after(1000, () => void this.#wake());
    }
  }

  /**
   * Whatever changes something waits for its turn, and does not start once everything was torn down. What has come to
   * its end meanwhile comes first: the kernel has ended it already.
   */
  #change<T>(work: () => T | Promise<T>): Promise<T> {
    const context = this.#context;
    return context.queue.run(async () => {
      this.#refuseDown();
      await passDeadlines(context).catch((error: unknown) => this.events.emit('reconcile-failed', { error }));
      return work();
    });
  }

  #refuseDown(): void {
    if (!this.#context.down) return;
    throw new Refusal(
      'unavailable',
      'the director was torn down and directs nothing; restart it to direct again',
    );
  }

  async services(): Promise<ServiceSnapshot[]> {
    return this.#snapshots([...this.#context.entries.keys()]);
  }

  /** Without what takes a look at the kernel: at once. */
  states(): readonly ServiceState[] {
    return stateOf(this.#context).services;
  }

  /** What only monitoring asks for; points in time are milliseconds since the epoch. */
  monitored(): Monitored {
    const { store, config, guests } = this.#context;
    const drains = store
      .draining()
      .flatMap(({ draining, drainUntil }) =>
        Object.entries(draining).map(([service, slot]) => ({ service, slot, until: drainUntil ?? 0 })),
      );
    return {
      drains,
      oldestEnrolments: store.oldestEnrolments(),
      writable: store.writable,
      markMask: config.markMask,
      xenAnswers: guests.answers,
    };
  }

  /** As it was found last; of each DomU for itself, at once. */
  health(service: string, domu: string): HealthReport {
    return healthOf(this.#context, service, domu);
  }

  /** What Xen says of the DomU; null where there is no Xen, or nobody has looked yet. */
  domain(service: string, domu: string): DomainReport | null {
    return this.#context.guests.report(service, domu);
  }

  async service(name: string): Promise<ServiceSnapshot> {
    mustFind(this.#context, name);
    const [snapshot] = await this.#snapshots([name]);
    // It may have been removed meanwhile.
    return snapshot ?? this.#snapshot(mustFind(this.#context, name), new Map(), new Map());
  }

  async #snapshots(names: readonly string[]): Promise<ServiceSnapshot[]> {
    const context = this.#context;
    const entriesNow = (): Entry[] => names.flatMap((name) => context.entries.get(name) ?? []);
    const flows = await this.#flows();
    const drains = await drainsOf(context, entriesNow(), flows).catch(() => new Map<string, Drain>());
    return inTurns(entriesNow(), (entry) => this.#snapshot(entry, flows, drains));
  }

  #flows(): Promise<Counted> {
    const { clock, kernel, config } = this.#context;
    const now = clock.now();
    if (this.#counted === null || now - this.#counted.at > FLOWS_FRESH_MS) {
      this.#counted = {
        at: now,
        flows: kernel.countFlows(config.markMask).catch(() => new Map<number, number>()),
      };
    }
    return this.#counted.flows;
  }

  #snapshot(entry: Entry, flows: Counted, drains: ReadonlyMap<string, Drain>): ServiceSnapshot {
    const { config, clock, guests } = this.#context;
    const { name } = entry.service;
    const count = (slot: Slot): number =>
      (['tcp', 'udp'] as const).reduce(
        (sum, protocol) =>
          sum + (flows.get(encodeMark({ id: entry.id, slot, protocol }, config.markMask)) ?? 0),
        0,
      );
    const report = (slot: Slot): HealthReport => this.health(name, entry.slots[slot]);
    const domain = (slot: Slot): DomainReport | null => this.domain(name, entry.slots[slot]);
    return {
      state: toState(entry, clock.now(), guests.interfaces),
      generation: entry.generation,
      source: entry.source,
      activeSwitch: entry.trial,
      health: { a: report('a'), b: report('b') },
      domains: { a: domain('a'), b: domain('b') },
      flows: { a: count('a'), b: count('b') },
      drain: drains.get(entry.service.name) ?? null,
    };
  }

  async define(
    name: string,
    definition: unknown,
    actor: Actor,
    ifMatch?: number,
  ): Promise<{ snapshot: ServiceSnapshot; created: boolean }> {
    const parsed = parseService(name, definition);
    if ('faults' in parsed)
      throw new Refusal('invalid', `the definition of ${name} is wrong; nothing was changed`, {
        faults: parsed.faults,
      });
    const created = await this.#change(() => define(this.#context, name, definition, actor, ifMatch));
    return { snapshot: await this.service(name), created };
  }

  remove(name: string, actor: Actor, ifMatch?: number): Promise<void> {
    return this.#change(() => remove(this.#context, name, actor, ifMatch));
  }

  async switchOver(order: SwitchOrder, actor: Actor): Promise<SwitchRecord> {
    this.#refuseDown();
    const probed = await probeTargets(this.#context, order);
    return this.#change(() => switchOver(this.#context, order, actor, probed));
  }

  preview(order: SwitchOrder): Promise<SwitchPreview> {
    this.#refuseDown();
    return preview(this.#context, order);
  }

  async rules(name: string): Promise<KernelRules> {
    const { service } = mustFind(this.#context, name);
    const { clock, kernel } = this.#context;
    if (this.#observed === null || clock.now() - this.#observed.at > RULES_FRESH_MS)
      this.#observed = { at: clock.now(), state: kernel.observe({ links: [], sysctls: [] }) };
    return rulesAbout(await this.#observed.state, service);
  }

  greetings(name: string): Promise<DomuGreetings[]> {
    const entry = mustFind(this.#context, name);
    const { clock } = this.#context;
    const known = this.#greeted.get(name);
    if (known !== undefined && clock.now() - known.at <= GREETINGS_FRESH_MS) return known.domus;
    const domus = Promise.all((['primary', 'secondary'] as const).map((role) => this.#greet(entry, role)));
    this.#greeted.set(name, { at: clock.now(), domus });
    return domus;
  }

  async #greet(entry: Entry, role: Role): Promise<DomuGreetings> {
    const { clock } = this.#context;
    const domu = domuOf(toState(entry, clock.now()), role);
    const endpoints = endpointsOf(entry.service, domu).slice(0, MOST_GREETED);
    const greetings = await Promise.all(endpoints.map((endpoint) => greet(clock, endpoint)));
    return { domu: domu.name, role, greetings };
  }

  async traffic(name: string): Promise<{ at: number; domus: DomuTraffic[] }> {
    const entry = mustFind(this.#context, name);
    const { clock, guests, kernel } = this.#context;
    const links = await kernel.linkTraffic();
    const { slots } = toState(entry, clock.now(), guests.interfaces);
    const placed = entry.service.domus[0].name === slots.a.name ? [slots.a, slots.b] : [slots.b, slots.a];
    const domus = placed.map(({ name: domu, vifs }): DomuTraffic => {
      const there = vifs.flatMap((vif) => links.get(vif) ?? []);
      if (there.length === 0) return { domu, carried: null };
      // What the host sends on a vif is what the DomU receives.
      return {
        domu,
        carried: { in: sum(there.map(({ sent }) => sent)), out: sum(there.map(({ received }) => received)) },
      };
    });
    return { at: clock.now(), domus };
  }

  switches({ limit, before }: { limit: number; before?: string | undefined }): SwitchRecord[] {
    return this.#context.store.switches(limit, before);
  }

  switchById(id: string): SwitchRecord {
    const record = this.#context.store.switchById(id);
    if (record === null) throw new Refusal('unknown', `there is no switch "${id}"`);
    return record;
  }

  confirm(id: string, actor: Actor): Promise<SwitchRecord> {
    return this.#change(() => confirm(this.#context, id, actor));
  }

  rollback(id: string, actor: Actor): Promise<SwitchRecord> {
    return this.#change(() => endTrial(this.#context, id, 'rolled-back', actor));
  }

  async hold(name: string, forMs: number, actor: Actor): Promise<ServiceSnapshot> {
    await this.#change(() => hold(this.#context, name, forMs, actor));
    return this.service(name);
  }

  async release(name: string, actor: Actor): Promise<ServiceSnapshot> {
    await this.#change(() => release(this.#context, name, actor));
    return this.service(name);
  }

  async enrol(
    name: string,
    source: Network,
    lease: { expiresIn: number | null; note: string | null },
    actor: Actor,
  ): Promise<ServiceSnapshot> {
    await this.#change(() => enrol(this.#context, name, source, lease, actor));
    return this.service(name);
  }

  async unenrol(name: string, source: Network, actor: Actor): Promise<ServiceSnapshot> {
    await this.#change(() => unenrol(this.#context, name, source, actor));
    return this.service(name);
  }

  async setTesting(name: string, testing: Testing, actor: Actor): Promise<ServiceSnapshot> {
    await this.#change(() => setTesting(this.#context, name, testing, actor));
    return this.service(name);
  }

  stage(name: string, options: { wait: boolean }, actor: Actor): Promise<StageRecord> {
    return stage(this.#staging, name, options, actor);
  }

  unstage(name: string, options: { purge: boolean }, actor: Actor): Promise<StageRecord> {
    return unstage(this.#staging, name, options, actor);
  }

  stages(page: { limit: number; before?: string | undefined; service?: string | undefined }): StageRecord[] {
    return this.#context.store.stages(page);
  }

  stageById(id: string): StageRecord {
    const record = this.#context.store.stageById(id);
    if (record === null) throw new Refusal('unknown', `there is no stage "${id}"`);
    return record;
  }

  domus(): Promise<DomuRow[]> {
    return listDomus(this.#staging);
  }

  domuConsole(domu: string, lines: number): Promise<string[]> {
    return domuConsole(this.#staging, domu, lines);
  }

  destroyDomu(domu: string, actor: Actor): Promise<void> {
    return destroyDomu(this.#staging, domu, actor);
  }

  whoami(source: Address | null): WhoamiRow[] {
    return whoami(source, stateOf(this.#context).services);
  }

  async plan(): Promise<PendingPlan> {
    const context = this.#context;
    const operations = context.down
      ? []
      : await context.queue.run(() => context.reconciler.pending(stateOf(context)));
    const restore = (family: 4 | 6): string =>
      operations
        .flatMap((operation) =>
          operation.kind === 'rules' && operation.family === family
            ? [renderRestore(family, operation.tables)]
            : [],
        )
        .join('');
    const services = servicesTouched(operations, [...context.entries.values()]);
    return { operations, services, restore: { ipv4: restore(4), ipv6: restore(6) } };
  }

  journal(page: {
    limit: number;
    before?: number | undefined;
    after?: number | undefined;
    service?: string | undefined;
  }): JournalRecord[] {
    return this.#context.store.journal(page);
  }

  reload(actor: Actor): Promise<void> {
    return this.#change(() => reload(this.#context, actor));
  }

  teardown(actor: Actor): Promise<void> {
    return this.#change(() => teardown(this.#context, actor));
  }

  /** Changes that wait or are being made, and how many have ended so far. */
  work(): { readonly waiting: number; readonly ended: number } {
    const { waiting, ended } = this.#context.queue;
    return { waiting, ended };
  }

  get config(): Config {
    return this.#context.config;
  }

  readiness(): Readiness {
    const problems = [
      ...(this.#started ? [] : ['the director is still starting']),
      ...(this.#context.down ? ['torn down: nothing is directed'] : []),
      ...(this.#problem === null ? [] : [this.#problem.text]),
      ...(this.#context.unsaved.length === 0
        ? []
        : ['what was done could not be written down yet: see the disk']),
    ];
    return { ready: problems.length === 0, problems, since: this.#since };
  }

  recall(key: string, fingerprint: string): { status: number; body: string } | null {
    const { clock, store } = this.#context;
    const known = store.recall(key, clock.now() - ANSWERS_MS);
    if (known === null) return null;
    if (known.fingerprint !== fingerprint) {
      throw new Refusal(
        'unprocessable',
        'this Idempotency-Key came with another request before; nothing was changed',
        { hint: 'use a new key for a new request' },
      );
    }
    return { status: known.status, body: known.body };
  }

  remember(key: string, fingerprint: string, answer: { status: number; body: string }): void {
    const { store, clock } = this.#context;
    store.write(() => store.remember(key, clock.now(), fingerprint, answer));
  }
}

const sum = (parts: readonly Traffic[]): Traffic => ({
  packets: parts.reduce((total, { packets }) => total + packets, 0),
  bytes: parts.reduce((total, { bytes }) => total + bytes, 0),
});

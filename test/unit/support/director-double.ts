import { Events } from '../../../src/lib/events.ts';
import { Refusal } from '../../../src/lib/errors.ts';
import { formatSource, parseNetwork } from '../../../src/model/address.ts';
import type { Address, Network } from '../../../src/model/address.ts';
import type { JournalRecord, ServiceSnapshot, SwitchRecord } from '../../../src/model/records.ts';
import type { Service } from '../../../src/model/service.ts';
import type { StageRecord } from '../../../src/model/stage.ts';
import type { ServiceState, Testing } from '../../../src/model/state.ts';
import type { DomuRow } from '../../../src/switchover/domus.ts';
import type {
  Actor,
  Director,
  DirectorEvents,
  DomuGreetings,
  DomuTraffic,
  PendingPlan,
  Readiness,
  SwitchOrder,
  WhoamiRow,
} from '../../../src/switchover/director.ts';
import type { SwitchPreview } from '../../../src/switchover/preview.ts';
import type { KernelRules } from '../../../src/switchover/rules.ts';

export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

export function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

export function mailService(name = 'mail'): Service {
  return {
    name,
    addresses: [
      { family: 4, text: '192.0.2.25' },
      { family: 6, text: '2001:db8::25' },
    ],
    announce: true,
    ports: [
      { protocol: 'tcp', from: 25, to: 25, target: null },
      { protocol: 'tcp', from: 80, to: 80, target: 8080 },
      { protocol: 'tcp', from: 8000, to: 8009, target: null },
      { protocol: 'udp', from: 514, to: 514, target: null },
    ],
    bridge: { name: 'br-mail', gateway: [{ family: 4, address: '10.50.0.1', prefix: 24 }] },
    domus: [
      {
        name: `${name}-a`,
        addresses: [
          { family: 4, text: '10.50.0.2' },
          { family: 6, text: 'fd00:50::2' },
        ],
        vifs: ['vif1.0'],
      },
      {
        name: `${name}-b`,
        addresses: [
          { family: 4, text: '10.50.0.3' },
          { family: 6, text: 'fd00:50::3' },
        ],
        vifs: ['vif2.0'],
      },
    ],
    testers: [network('198.51.100.7')],
    admins: [],
    cutover: { connections: 'drain', drainFor: null, confirmWithin: 600_000 },
    quarantine: null,
    stage: null,
    health: { check: 'tcp', every: 5000, timeout: 1000 },
  };
}

export function snapshotOf(service: Service): ServiceSnapshot {
  const state: ServiceState = {
    service,
    id: 1,
    slots: { a: service.domus[0], b: service.domus[1] },
    primary: 'a',
    testing: 'open',
    testers: service.testers.map((source) => ({ source, kind: 'permanent', expiresAt: null, note: null })),
    trial: null,
    heldUntil: null,
    pinned: false,
  };
  return {
    state,
    generation: 1,
    source: 'file',
    activeSwitch: null,
    health: {
      a: { status: 'healthy', reason: null, since: NOW },
      b: { status: 'degraded', reason: '10.50.0.3:25: connection refused', since: NOW },
    },
    domains: { a: null, b: null },
    flows: { a: 12, b: 3 },
    drain: null,
  };
}

export function stageOf(changes: Partial<StageRecord> = {}): StageRecord {
  return {
    id: 'st-1',
    service: 'mail',
    domu: 'mail-b',
    from: 'mail-a',
    state: 'staging',
    by: 'socket',
    reason: null,
    startedAt: NOW,
    endedAt: null,
    doing: 'it begins',
    volumes: [],
    made: [],
    error: null,
    hint: null,
    left: [],
    notes: [],
    ...changes,
  };
}

/** A director that only remembers: what it was asked stands in `calls`, and `fail` is thrown by the next change. */
export class DirectorDouble implements Director {
  readonly events = new Events<DirectorEvents>();
  readonly calls: unknown[][] = [];
  readonly answers = new Map<string, { fingerprint: string; answer: { status: number; body: string } }>();
  readonly table = new Map<string, ServiceSnapshot>();
  readonly switchLog: SwitchRecord[] = [];
  readonly journalLog: JournalRecord[] = [];
  readonly stageLog: StageRecord[] = [];
  domuRows: DomuRow[] = [];
  console = ['login:'];
  ready: Readiness = { ready: true, problems: [], since: NOW };
  pending: PendingPlan = { operations: [], services: [], restore: { ipv4: '', ipv6: '' } };
  fail: Error | null = null;
  /** What a change waits for before it is done. */
  gate: Promise<void> = Promise.resolve();

  constructor(...names: string[]) {
    for (const name of names) this.table.set(name, snapshotOf(mailService(name)));
  }

  async #change(...call: unknown[]): Promise<void> {
    this.calls.push(call);
    await this.gate;
    const { fail } = this;
    this.fail = null;
    if (fail !== null) throw fail;
  }

  #known(name: string): ServiceSnapshot {
    const snapshot = this.table.get(name);
    if (snapshot === undefined) throw new Refusal('unknown', `there is no service "${name}"`);
    return snapshot;
  }

  #set(name: string, change: Partial<ServiceState>): ServiceSnapshot {
    const before = this.#known(name);
    const after = {
      ...before,
      generation: before.generation + 1,
      state: { ...before.state, ...change },
    };
    this.table.set(name, after);
    return after;
  }

  /** Adds a journal entry and tells who listens. */
  record(kind: JournalRecord['kind'], text: string, services: readonly string[] = ['mail']): JournalRecord {
    const id = (this.journalLog.at(-1)?.id ?? 0) + 1;
    const record = { id, at: NOW, kind, services, by: 'socket', text, why: null, details: { text } };
    this.journalLog.push(record);
    this.events.emit('journal', record);
    return record;
  }

  stage = async (name: string, options: { wait: boolean }, actor: Actor): Promise<StageRecord> => {
    this.#known(name);
    await this.#change('stage', name, options, actor);
    return stageOf({ service: name });
  };
  unstage = async (name: string, options: { purge: boolean }, actor: Actor): Promise<StageRecord> => {
    await this.#change('unstage', name, options, actor);
    return stageOf({ service: name, state: 'unstaging' });
  };
  stages = ({ limit, service }: { limit: number; service?: string | undefined }): StageRecord[] =>
    this.stageLog.filter((one) => service === undefined || one.service === service).slice(0, limit);
  stageById = (id: string): StageRecord => {
    const found = this.stageLog.find((one) => one.id === id);
    if (found === undefined) throw new Refusal('unknown', `there is no stage "${id}"`);
    return found;
  };
  domus = (): Promise<DomuRow[]> => Promise.resolve(this.domuRows);
  domuConsole = (_domu: string, lines: number): Promise<string[]> =>
    Promise.resolve(this.console.slice(-lines));
  destroyDomu = (domu: string, actor: Actor): Promise<void> => this.#change('destroyDomu', domu, actor);

  services = (): Promise<ServiceSnapshot[]> => Promise.resolve([...this.table.values()]);
  service = (name: string): Promise<ServiceSnapshot> =>
    new Promise((resolve) => {
      resolve(this.#known(name));
    });

  async define(name: string, definition: unknown, actor: Actor, ifMatch?: number) {
    await this.#change('define', name, definition, actor, ifMatch);
    if (definition === null || typeof definition !== 'object') {
      throw new Refusal('invalid', 'the definition is wrong', {
        faults: [
          { path: 'addresses', message: 'is missing' },
          { path: 'ports[0]', message: '"25" needs its protocol: write 25/tcp or 25/udp' },
        ],
      });
    }
    const created = !this.table.has(name);
    if (created) this.table.set(name, { ...snapshotOf(mailService(name)), source: 'api' });
    else this.#set(name, {});
    return { snapshot: this.#known(name), created };
  }

  async remove(name: string, actor: Actor, ifMatch?: number): Promise<void> {
    this.#known(name);
    await this.#change('remove', name, actor, ifMatch);
    this.table.delete(name);
  }

  async switchOver(order: SwitchOrder, actor: Actor): Promise<SwitchRecord> {
    await this.#change('switchOver', order, actor);
    for (const name of order.services) this.#known(name);
    const record: SwitchRecord = {
      id: `s${this.switchLog.length + 1}`,
      services: order.services,
      to: order.to,
      state: 'trial',
      requestedAt: NOW,
      committedAt: NOW + 1,
      confirmBy: NOW + 600_000,
      endedAt: null,
      connections: order.connections ?? 'drain',
      drainFor: null,
      drainUntil: null,
      draining: {},
      flipMicros: 15,
      familySkewMicros: 0,
      kept: 4,
      cut: 0,
      udpFlushed: 2,
      by: actor.by,
      reason: actor.reason ?? null,
      error: null,
    };
    this.switchLog.push(record);
    return record;
  }

  switches({ limit, before }: { limit: number; before?: string | undefined }): SwitchRecord[] {
    const newest = this.switchLog.toReversed();
    const from = before === undefined ? 0 : newest.findIndex(({ id }) => id === before) + 1;
    return newest.slice(from, from + limit);
  }

  switchById(id: string): SwitchRecord {
    const record = this.switchLog.find((each) => each.id === id);
    if (record === undefined) throw new Refusal('unknown', `there is no switch "${id}"`);
    return record;
  }

  async #end(id: string, state: 'confirmed' | 'rolled-back', actor: Actor): Promise<SwitchRecord> {
    await this.#change(state, id, actor);
    const record = { ...this.switchById(id), state, endedAt: NOW + 2 };
    this.switchLog.splice(
      this.switchLog.findIndex((each) => each.id === id),
      1,
      record,
    );
    return record;
  }
  confirm = (id: string, actor: Actor): Promise<SwitchRecord> => this.#end(id, 'confirmed', actor);
  rollback = (id: string, actor: Actor): Promise<SwitchRecord> => this.#end(id, 'rolled-back', actor);

  async hold(name: string, forMs: number, actor: Actor): Promise<ServiceSnapshot> {
    await this.#change('hold', name, forMs, actor);
    return this.#set(name, { heldUntil: NOW + forMs });
  }

  async release(name: string, actor: Actor): Promise<ServiceSnapshot> {
    await this.#change('release', name, actor);
    return this.#set(name, { heldUntil: null });
  }

  async enrol(
    name: string,
    source: Network,
    { expiresIn, note }: { expiresIn: number | null; note: string | null },
    actor: Actor,
  ): Promise<ServiceSnapshot> {
    await this.#change('enrol', name, formatSource(source), { expiresIn, note }, actor);
    const others = this.#without(name, source);
    const expiresAt = expiresIn === null ? null : NOW + expiresIn;
    return this.#set(name, { testers: [...others, { source, kind: 'leased', expiresAt, note }] });
  }

  async unenrol(name: string, source: Network, actor: Actor): Promise<ServiceSnapshot> {
    await this.#change('unenrol', name, formatSource(source), actor);
    return this.#set(name, { testers: this.#without(name, source) });
  }

  #without(name: string, source: Network) {
    return this.#known(name).state.testers.filter(
      (each) => formatSource(each.source) !== formatSource(source),
    );
  }

  async setTesting(name: string, testing: Testing, actor: Actor): Promise<ServiceSnapshot> {
    await this.#change('setTesting', name, testing, actor);
    return this.#set(name, { testing });
  }

  whoami(source: Address | null): WhoamiRow[] {
    const reason = source === null ? 'this host itself' : `${source.text} is no tester`;
    return [...this.table.values()].map(({ state }) => ({
      service: state.service.name,
      domu: state.slots.a.name,
      role: 'primary',
      live: true,
      testing: state.testing,
      reason,
    }));
  }

  preview({ services, connections = 'drain', hold }: SwitchOrder): Promise<SwitchPreview> {
    const rows = services.map((name) => {
      const { state, health, flows } = this.#known(name);
      return {
        service: name,
        from: state.slots.a.name,
        target: state.slots.b.name,
        health: health.b,
        tcp: flows.a,
        udp: 2,
        targetFlows: flows.b,
      };
    });
    const terms = { connections, drainFor: null, confirmWithin: 600_000, hold: hold ?? null };
    return Promise.resolve({ ...terms, services: rows, refusals: [] });
  }

  rules(name: string): Promise<KernelRules> {
    this.#known(name);
    const rules = [{ family: 4 as const, table: 'nat', rule: `-A DIR-${name} -g DIR-${name}.a` }];
    return Promise.resolve({ rules, sets: [] });
  }

  async greetings(name: string): Promise<DomuGreetings[]> {
    const { state } = await this.service(name);
    const greetings = [{ endpoint: { host: '10.50.0.2', port: 25 }, text: '220 mail', error: null }];
    return [{ domu: state.slots.a.name, role: 'primary', greetings }];
  }

  async traffic(name: string): Promise<{ at: number; domus: DomuTraffic[] }> {
    const { state } = await this.service(name);
    return { at: NOW, domus: [{ domu: state.slots.a.name, carried: null }] };
  }

  plan = (): Promise<PendingPlan> => Promise.resolve(this.pending);

  journal({
    limit,
    before,
    after,
    service,
  }: {
    limit: number;
    before?: number | undefined;
    after?: number | undefined;
    service?: string | undefined;
  }): JournalRecord[] {
    const mine = this.journalLog.filter((each) => service === undefined || each.services.includes(service));
    if (after !== undefined) return mine.filter(({ id }) => id > after).slice(0, limit);
    const older = mine.filter(({ id }) => before === undefined || id < before);
    return older.toReversed().slice(0, limit);
  }

  reload = (actor: Actor): Promise<void> => this.#change('reload', actor);
  teardown = (actor: Actor): Promise<void> => this.#change('teardown', actor);
  readiness = (): Readiness => this.ready;

  recall(key: string, fingerprint: string): { status: number; body: string } | null {
    const seen = this.answers.get(key);
    if (seen === undefined) return null;
    if (seen.fingerprint === fingerprint) return seen.answer;
    throw new Refusal('unprocessable', `the Idempotency-Key "${key}" came with another request before`);
  }

  remember(key: string, fingerprint: string, answer: { status: number; body: string }): void {
    this.answers.set(key, { fingerprint, answer });
  }
}

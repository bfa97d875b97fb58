import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Config } from '../../../src/config/index.ts';
import { formatFaults, readConfig } from '../../../src/config/index.ts';
import { HealthMonitor } from '../../../src/health/monitor.ts';
import { FakeKernel } from '../../../src/kernel/fake.ts';
import type { Kernel } from '../../../src/kernel/kernel.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { parseNetwork } from '../../../src/model/address.ts';
import type { Network } from '../../../src/model/address.ts';
import type { JournalRecord, ServiceSnapshot } from '../../../src/model/records.ts';
import { liveSlot } from '../../../src/model/state.ts';
import { Reconciler } from '../../../src/reconcile/reconciler.ts';
import { Spelling } from '../../../src/reconcile/spelling.ts';
import { JUMPS } from '../../../src/render/layout.ts';
import { Store } from '../../../src/store/store.ts';
import { Engine } from '../../../src/switchover/engine.ts';
import { Guests } from '../../../src/xen/guests.ts';
import type { Hypervisor } from '../../../src/xen/hypervisor.ts';
import { NoHypervisor } from '../../../src/xen/none.ts';
import { HandClock } from '../../contract/hand-clock.ts';
import type { StageHost } from '../../../src/stage/host.ts';
import { send } from '../../property/support/packet.ts';
import { frames } from '../../support.ts';
import { noStaging } from './stage-host.ts';

export const ACTOR = { by: 'somebody', reason: 'a test' };
const FRAMES = frames();
export const CUSTOMER = '100.64.0.9';

export function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

/** A small service as a definition; `n` tells its addresses from those of others. */
export function definition(name: string, n: number, changes: Record<string, unknown> = {}): object {
  return {
    addresses: [`192.0.2.${n}`],
    ports: ['25/tcp', '514/udp'],
    bridge: { name: `br-${name}`, gateway: [`10.${n}.0.1/24`] },
    domus: [
      { name: `${name}-a`, addresses: [`10.${n}.0.2`] },
      { name: `${name}-b`, addresses: [`10.${n}.0.3`] },
    ],
    testers: ['198.51.100.7'],
    ...changes,
  };
}

/** What happens to one effect of the engine: on the kernel, or on the disk. */
export type Fault = 'die' | 'refuse' | 'lose';
/** Whether, and how, the n-th effect (from 0) fails; `what` is its name, such as `commit` or `write`. */
export type Faults = (n: number, what: string) => Fault | undefined;

/** The director died here: nothing that it still tries has an effect. */
class Death extends Error {}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** A director's life: its own view of a clock, kernel and store that all outlive it. */
interface Life {
  dead: boolean;
  effects: string[];
  faults: Faults;
  /** How often something has waited for its time and was called. */
  wakes: number;
}

const EFFECTS: readonly string[] = ['apply', 'prepareChoice', 'deleteFlows', 'deleteFlow'];

/** One effect: counted, and then it happens, or does not, or happens and its answer is lost. */
async function effect<T>(life: Life, what: string, work: () => Promise<T>): Promise<T> {
  if (life.dead) return never();
  const fault = life.faults(life.effects.push(what) - 1, what);
  if (fault === 'die') {
    life.dead = true;
    return never();
  }
  if (fault === 'refuse') throw refused(what);
  const answer = await work();
  if (fault === 'lose') throw refused(what);
  return answer;
}

const refused = (what: string): Error =>
  Object.assign(new Error(`${what}: no`), { name: 'KernelError', code: 'EIO' });

function mortalKernel(kernel: FakeKernel, life: Life): Kernel {
  return new Proxy<Kernel>(kernel, {
    get(_, name) {
      const call = Reflect.get(kernel, name) as (...args: unknown[]) => Promise<unknown>;
      return (...args: unknown[]): unknown => {
        if (!EFFECTS.includes(String(name))) return life.dead ? never() : call.apply(kernel, args);
        const kind = (args[0] as { kind?: string } | undefined)?.kind;
        const result = effect(life, kind ?? String(name), () => call.apply(kernel, args));
        if (name !== 'prepareChoice') return result;
        return result.then((prepared) => {
          const { commit } = prepared as { commit: () => Promise<unknown> };
          return { commit: () => effect(life, 'commit', commit) };
        });
      };
    },
  });
}

function mortalStore(store: Store, life: Life): Store {
  const write = <T>(work: () => T): T => {
    if (life.dead) throw new Death();
    const fault = life.faults(life.effects.push('write') - 1, 'write');
    if (fault === 'die') {
      life.dead = true;
      throw new Death();
    }
    // What the disk took and did not answer for is the same as a death after it.
    if (fault !== undefined)
      return store.write(() => {
        throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
      });
    return store.write(work);
  };
  return new Proxy(store, {
    get(_, name) {
      if (name === 'write' || name === 'writeAhead') return write;
      const member: unknown = Reflect.get(store, name, store);
      return typeof member === 'function' ? (member.bind(store) as unknown) : member;
    },
  });
}

/** What a dead director still tries with guests has no effect. */
function mortalHost(host: StageHost, life: Life): StageHost {
  const mortal = <Part extends object>(part: Part): Part =>
    new Proxy(part, {
      get(_, name) {
        const member: unknown = Reflect.get(part, name, part);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown =>
          life.dead ? never() : (member as (...all: unknown[]) => unknown).apply(part, args);
      },
    });
  const { hypervisor, volumes, filesystems, files, programs, clock } = host;
  return {
    hypervisor: mortal(hypervisor),
    volumes: mortal(volumes),
    filesystems: mortal(filesystems),
    files: mortal(files),
    programs: mortal(programs),
    clock,
  };
}

function mortalClock(clock: Clock, life: Life): Clock {
  const wake = (callback: () => void): void => {
    if (life.dead) return;
    life.wakes++;
    callback();
  };
  return { now: () => clock.now(), after: (ms, callback) => clock.after(ms, () => wake(callback)) };
}

export interface BenchOptions {
  readonly services?: Record<string, object>;
  readonly mark?: { readonly mask: number };
  /** Outlives every director; none: no guests can be made. */
  readonly stageHost?: (clock: Clock) => StageHost;
  /** By default there is none. */
  readonly hypervisor?: Hypervisor;
}

function freshKernel(clock: Clock): FakeKernel {
  const kernel = new FakeKernel({ clock, jumps: JUMPS });
  kernel.addLink('eth0');
  return kernel;
}

/** A host with a director on it that can die at any moment and be started again. */
export class Bench {
  readonly clock = new HandClock();
  kernel: FakeKernel;
  readonly directory = mkdtempSync(join(tmpdir(), 'director-engine-'));
  /** Endpoints that do not answer, as `10.25.0.3`. */
  readonly sick = new Set<string>();
  engine!: Engine;
  health!: HealthMonitor;
  readonly stageHost: StageHost;
  guests!: Guests;
  store!: Store;
  #life: Life = { dead: true, effects: [], faults: () => undefined, wakes: 0 };
  #options: BenchOptions;

  private constructor(options: BenchOptions) {
    this.#options = options;
    this.kernel = freshKernel(this.clock);
    this.stageHost = (options.stageHost ?? noStaging)(this.clock);
  }

  static async open(options: BenchOptions = {}): Promise<Bench> {
    const services = options.services ?? { mail: definition('mail', 25), ldap: definition('ldap', 38) };
    const bench = new Bench({ ...options, services });
    bench.configure(services);
    await bench.start();
    return bench;
  }

  get file(): string {
    return join(this.directory, 'director.yaml');
  }

  /** Writes the file; who runs learns of it by a reload. JSON is YAML. */
  configure(services: Record<string, object>): void {
    const { mark } = this.#options;
    const config = {
      listen: { socket: join(this.directory, 'director.sock') },
      state: join(this.directory, 'state'),
      uplink: 'eth0',
      ...(mark === undefined ? {} : { mark }),
      services,
    };
    writeFileSync(this.file, JSON.stringify(config));
  }

  /** What was an effect of the director that runs: operations by their kind, calls of the kernel, writes to the disk. */
  get effects(): readonly string[] {
    return this.#life.effects;
  }

  get wakes(): number {
    return this.#life.wakes;
  }

  /** From now on, counted from 0. */
  fail(faults: Faults): void {
    this.#life.effects = [];
    this.#life.faults = faults;
  }

  get dead(): boolean {
    return this.#life.dead;
  }

  /** `follow`: whoever listens to the engine from its start on, as metrics do. */
  async start(follow: () => void = () => undefined): Promise<void> {
    await this.#create();
    follow();
    await this.engine.start();
  }

  /** Started while this goes wrong. The promise never settles where the director dies in it. */
  async startWith(faults: Faults): Promise<void> {
    await this.#create();
    this.fail(faults);
    const started = this.engine.start().catch(() => undefined);
    await Promise.race([started, this.settle()]);
  }

  async #create(): Promise<void> {
    const life: Life = { dead: false, effects: [], faults: () => undefined, wakes: 0 };
    this.#life = life;
    this.store = Store.open(join(this.directory, 'state'));
    const kernel = mortalKernel(this.kernel, life);
    const store = mortalStore(this.store, life);
    const clock = mortalClock(this.clock, life);
    const connect = ({ host }: { host: string }): Promise<string | null> =>
      Promise.resolve(this.sick.has(host) ? 'connection refused' : null);
    this.health = new HealthMonitor({ clock, connect });
    const hypervisor = this.#options.hypervisor ?? new NoHypervisor('there is none here');
    this.guests = new Guests({ hypervisor, clock });
    this.engine = new Engine({
      config: await this.#read(),
      kernel,
      store,
      clock,
      health: this.health,
      stageHost: mortalHost({ ...this.stageHost, clock }, life),
      guests: this.guests,
      reconciler: new Reconciler({
        kernel,
        frames: FRAMES,
        spelling: new Spelling([], () => undefined),
        onSysctl: (key, original) => store.write(() => this.store.rememberSysctl(key, original)),
      }),
    });
  }

  async #read(): Promise<Config> {
    const read = await readConfig(this.file);
    if ('faults' in read) throw new Error(formatFaults(this.file, read.faults));
    return read.config;
  }

  /** kill -9: nothing of this director has an effect any more; kernel and disk stay as they are. */
  kill(): void {
    this.#life.dead = true;
    this.store.close();
  }

  async restart(): Promise<void> {
    this.kill();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.engine.stop();
    this.kill();
  }

  close(): void {
    if (!this.#life.dead) this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The host has started again: its kernel holds nothing of ours. To be followed by a start. */
  reboot(): void {
    this.kernel = freshKernel(this.clock);
  }

  /** The state directory is empty again. To be followed by a start. */
  forget(): void {
    rmSync(join(this.directory, 'state'), { recursive: true });
  }

  /** Everything that is under way has come to its end: all of it is in memory, so nothing waits for a clock. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Time passes, and whoever waited for it does what it waited for. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settle();
  }

  /** What was journalled since, oldest first. */
  journalAfter(id: number): JournalRecord[] {
    return this.store.journal({ limit: 1000, after: id });
  }

  kindsAfter(id: number): string[] {
    return this.journalAfter(id).map(({ kind }) => kind);
  }

  lastJournal(): number {
    return this.store.journal({ limit: 1 })[0]?.id ?? 0;
  }

  snapshot(name: string): Promise<ServiceSnapshot> {
    return this.engine.service(name);
  }

  /** The address of the DomU that a customer's packet to this service arrives at now; null where it is not directed. */
  async reached(to: string, from = CUSTOMER): Promise<string | null> {
    const observed = await this.kernel.observe({ links: [], sysctls: [] });
    const fate = send(observed, { from, to, port: 25, protocol: 'tcp' });
    return fate.verdict === 'directed' ? fate.to : null;
  }

  /** The kernel holds what the state says: by comparison, and by where customers arrive. */
  async expectKernelIsPlan(): Promise<void> {
    expect((await this.engine.plan()).operations).toEqual([]);
    for (const { state } of await this.engine.services()) {
      const live = state.slots[liveSlot(state)];
      expect(await this.reached(state.service.addresses[0]!.text)).toBe(live.addresses[0]!.text);
    }
  }

  /** All that an operator may rely on, as a value to compare. */
  async state(): Promise<unknown> {
    const services = await this.engine.services();
    return services.map(({ state, source, activeSwitch }) => ({
      name: state.service.name,
      ports: state.service.ports,
      primary: state.slots[state.primary].name,
      live: state.slots[liveSlot(state)].name,
      testing: state.testing,
      testers: state.testers,
      trial: state.trial === null ? null : { confirmBy: state.trial.confirmBy },
      held: state.heldUntil,
      source,
      switch: activeSwitch?.state ?? null,
    }));
  }
}

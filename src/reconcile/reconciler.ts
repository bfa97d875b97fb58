import { createHash } from 'node:crypto';
import { DirectorError, isExists, isNotFound } from '../lib/errors.ts';
import { keep } from '../lib/keep.ts';
import { printOfProgram } from '../lib/program.ts';
import { Turn, stepByStep } from '../lib/turn.ts';
import type { Kernel, LinkInfo, Scope } from '../kernel/kernel.ts';
import type { Choice, KernelState } from '../model/kernel-state.ts';
import { EMPTY_KERNEL } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import type { DirectorState, ServiceState } from '../model/state.ts';
import { planChoice } from '../plan/choice.ts';
import { diff, diffInSteps } from '../plan/diff.ts';
import { SYSCTL, acceptRa } from '../plan/links.ts';
import { Planner } from '../plan/plan.ts';
import type { Plan } from '../plan/plan.ts';
import { renderDifference } from '../render/difference.ts';
import type { Frames } from '../render/render.ts';
import { render } from '../render/render.ts';
import { driveLanes, stretchesOf } from './lanes.ts';
import type { Spelling } from './spelling.ts';

/** The first look finds what differs, the second that it is done; two more are for learning how rules are spelt here. */
const LOOKS = 4;

/** Whatever has a part in what the kernel should hold. */
const CODE = ['./', '../lib/', '../model/', '../plan/', '../render/'];

const RULES_FIRST: ReadonlySet<Operation['kind']> = new Set([
  'set-create',
  'set-add',
  'choice-create',
  'rules',
]);

export interface ReconcilerOptions {
  readonly kernel: Kernel;
  readonly frames: Frames;
  readonly spelling: Spelling;
  /** Called before a sysctl is changed for the first time, with what it was. */
  readonly onSysctl: (key: string, original: string) => void;
}

export interface Reconciled {
  /** What was done, in order; empty where everything was as it should be. */
  readonly operations: readonly Operation[];
  readonly seconds: number;
}

/** What the kernel is known to hold. */
interface Known {
  readonly state: DirectorState;
  readonly plan: Plan;
  readonly links: readonly LinkInfo[];
  /** Of the rules, when they were looked at, or after our own change. */
  readonly generation: number;
  /** It was found so; else some of it was made so, and nobody has seen whether it has stayed. */
  readonly looked: boolean;
}

interface Look {
  readonly desired: KernelState;
  readonly read: KernelState;
  readonly known: Known | null;
}

/**
 * Observe, plan, diff, apply, look again. The caller serializes what changes something. Of the kernel it is remembered
 * what it was found, or made, to hold last: a change that was asked for is worked out against that, and nothing else is
 * looked at, where the rules' generation proves that nobody else has changed them before or meanwhile. Who changes
 * sets or links is told of by the kernel's fingerprint, and a look at everything follows each change in any case; after
 * a flip, which changes the choice alone, a look at that.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #planner = new Planner();
  readonly #prints = new WeakMap<ServiceState, Buffer>();
  #print: { readonly state: DirectorState; readonly print: string } | null = null;
  #program: string | null = null;
  #planned: { readonly state: DirectorState; readonly plan: Plan } | null = null;
  #rendered: { readonly plan: Plan; readonly wanted: KernelState } | null = null;
  #known: Known | null = null;
  /** What is looked at while something is being changed is not known. */
  #changes = { begun: 0, underWay: 0 };

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** How many changes have been begun, or have ended, since the start: a look during which it grows met one. */
  get begun(): number {
    return this.#changes.begun;
  }

  /** What costs time without the kernel, done while something else is waited for. */
  prepare(state: DirectorState): void {
    this.#render(state);
  }

  /** Equal where this same program wants the same of the kernel. */
  async printOf(state: DirectorState): Promise<string> {
    if (this.#print?.state === state) return this.#print.print;
    this.#program ??= printOfProgram(import.meta.url, CODE);
    const { services, ...host } = state;
    const sum = createHash('sha256').update(JSON.stringify([this.#program, this.#options.frames, host]));
    const turn = new Turn();
    for (const service of services) {
      sum.update(this.#printOfService(service));
      if (turn.isOver) await turn.pass();
    }
    const print = sum.digest('hex');
    this.#print = { state, print };
    return print;
  }

  /** Of ten thousand services most are the same objects as the last time. */
  #printOfService(service: ServiceState): Buffer {
    const print = this.#prints.get(service) ?? createHash('sha256').update(JSON.stringify(service)).digest();
    this.#prints.set(service, print);
    return print;
  }

  /**
   * What applyAnew() would do first. `thorough`: rules are read although it is known what they are, by what was written
   * and how often they have been changed since.
   */
  async pending(state: DirectorState, { thorough = true } = {}): Promise<Operation[]> {
    const { begun, underWay } = this.#changes;
    const { desired, read, known } = await this.#look(state, thorough);
    const operations = await stepByStep(diffInSteps(desired, this.#options.spelling.translate(read)));
    if (operations.length === 0 && underWay === 0 && begun === this.#changes.begun) this.#known = known;
    return operations;
  }

  /** Whether rules have to be loaded to come from one of these to the other. Without a look at the kernel. */
  differInRules(from: DirectorState, to: DirectorState): boolean {
    const difference = renderDifference(this.#options.frames, this.#plan(from), this.#plan(to));
    if (difference === null) return true;
    return diff(difference.after, difference.before).some(({ kind }) => kind === 'rules');
  }

  /**
   * Whether the kernel is known to hold what `state` wants, but for the choice, which is looked at. `no` where that is
   * not known: then it takes a look at everything. `later` where something is being changed meanwhile.
   */
  async isChoiceAlone(state: DirectorState): Promise<'yes' | 'no' | 'later'> {
    const { kernel } = this.#options;
    const { begun, underWay } = this.#changes;
    const known = this.#known;
    if (underWay > 0) return 'later';
    if (known?.looked !== true) return 'no';
    const [generation, choice] = await Promise.all([kernel.generation(), kernel.choice()]);
    if (begun !== this.#changes.begun) return 'later';
    if (choice === null || generation !== known.generation) return 'no';
    return this.#differInChoice({ ...known, plan: { ...known.plan, choice } }, state) ? 'no' : 'yes';
  }

  /**
   * Our own change is under way, or was the last one, as far as rules tell, and nobody has looked at it since: what the
   * kernel says now differs from what it said before because of it.
   */
  async isAsMade(): Promise<boolean> {
    if (this.#changes.underWay > 0) return true;
    const known = this.#known;
    if (known?.looked !== false) return false;
    return (await this.#options.kernel.generation()) === known.generation && known === this.#known;
  }

  /** Where nothing but trials is another, which the choice alone says, nothing else is planned. */
  #differInChoice(found: Known, state: DirectorState): boolean {
    const { choice } = found.plan;
    if (differInTrialsAlone(found.state, state))
      return diff({ ...EMPTY_KERNEL, choice: planChoice(state) }, { ...EMPTY_KERNEL, choice }).length > 0;
    return this.#differences(found, this.#plan(state), state)?.length !== 0;
  }

  /** What a flip does: the choice is another one from then on. */
  choose<T>(choice: Choice, commit: () => Promise<T>): Promise<T> {
    return this.#changing(async (known) => {
      const committed = await commit();
      this.#known = known === null ? null : { ...known, plan: { ...known.plan, choice } };
      return committed;
    });
  }

  /**
   * Makes the kernel what `state` says, which somebody has asked for. Throws KernelError; what was applied before stays,
   * and the next call goes on.
   */
  apply(state: DirectorState): Promise<Reconciled> {
    return this.#changing(async (known) => {
      const begun = process.hrtime.bigint();
      const quick = await this.#applyToKnown(known, state, () => true).catch(nullIfSurprised);
      return quick === null ? this.#applyAnew(state) : { operations: quick, seconds: secondsSince(begun) };
    });
  }

  /** The same, whatever was known of the kernel: somebody may have changed it. */
  applyAnew(state: DirectorState): Promise<Reconciled> {
    return this.#changing(() => this.#applyAnew(state));
  }

  async #applyAnew(state: DirectorState): Promise<Reconciled> {
    const begun = process.hrtime.bigint();
    const done: Operation[] = [];
    let operations: Operation[] = [];
    let last: KernelState | null = null;
    for (let look = 0; look < LOOKS; look++) {
      const { desired, read, known } = await this.#look(state);
      if (look >= 2 && last !== null) this.#options.spelling.learn(desired, last, read);
      operations = await stepByStep(diffInSteps(desired, this.#options.spelling.translate(read)));
      if (operations.length === 0) {
        this.#known = known;
        return { operations: done, seconds: secondsSince(begun) };
      }
      await carryOutAll(operations, (operation) => this.#carryOut(operation, read));
      done.push(...operations);
      last = read;
    }
    throw new DirectorError(
      `the kernel does not keep what it was given: ${operations.map(({ why }) => why).join('; ')}`,
      {
        hint: 'does another program change the same rules, sets or links? "director plan" shows what differs',
      },
    );
  }

  /**
   * The rules of what `state` says, and the sets that they read; nothing is taken out of a set, and the choice stays as
   * it is. For changes in which the rules must come first.
   */
  applyRules(state: DirectorState): Promise<void> {
    const isFirst = ({ kind }: Operation): boolean => RULES_FIRST.has(kind);
    return this.#changing(async (known) => {
      const quick = await this.#applyToKnown(known, state, isFirst).catch(nullIfSurprised);
      if (quick !== null) return;
      const operations = (await this.pending(state)).filter(isFirst);
      await carryOutAll(operations, (operation) => this.#options.kernel.apply(operation));
    });
  }

  /** While it is under way nothing is known of the kernel, nor after it unless `work` has come to know it. */
  async #changing<T>(work: (known: Known | null) => Promise<T>): Promise<T> {
    const known = this.#known;
    this.#known = null;
    const { begun, underWay } = this.#changes;
    this.#changes = { begun: begun + 1, underWay: underWay + 1 };
    try {
      return await work(known);
    } finally {
      this.#changes = { begun: this.#changes.begun + 1, underWay: this.#changes.underWay - 1 };
    }
  }

  /** Answers what was done; null where not enough is known of the kernel, or something of it has been changed since. */
  async #applyToKnown(
    known: Known | null,
    state: DirectorState,
    which: (operation: Operation) => boolean,
  ): Promise<readonly Operation[] | null> {
    const { kernel } = this.#options;
    if (known === null || (await kernel.generation()) !== known.generation) return null;
    const plan = this.#plan(state);
    const all = this.#differences(known, plan, state);
    if (all === null) return null;
    const operations = all.filter(which);
    await carryOutAll(operations, (operation) => kernel.apply(operation));
    const generation = known.generation + operations.reduce((sum, each) => sum + commitsOf(each), 0);
    if ((await kernel.generation()) !== generation) return null;
    const after = { ...known, looked: known.looked && operations.length === 0 };
    // What was left out is still to be done, and what was done may be done again.
    this.#known =
      operations.length === all.length ? { ...after, state, plan, generation } : { ...after, generation };
    return operations;
  }

  /** null where it takes more than is known. */
  #differences(known: Known, plan: Plan, state: DirectorState): Operation[] | null {
    const difference = renderDifference(this.#options.frames, known.plan, plan);
    if (difference === null || known.state.uplink !== state.uplink) return null;
    const operations = diff(
      existing(difference.after, known.links, state),
      existing(difference.before, known.links, known.state),
    );
    return operations.some(needsLook) ? null : operations;
  }

  async #carryOut(operation: Operation, observed: KernelState): Promise<void> {
    if (operation.kind === 'sysctl') {
      const changing =
        operation.key === SYSCTL.forward4 ? [operation.key, SYSCTL.redirects4] : [operation.key];
      for (const key of changing) this.#options.onSysctl(key, observed.sysctls[key] ?? '');
    }
    await this.#options.kernel.apply(operation);
  }

  /** States are frozen: the same one is planned once. */
  #plan(state: DirectorState): Plan {
    if (this.#planned?.state !== state) this.#planned = { state, plan: this.#planner.plan(state) };
    return this.#planned.plan;
  }

  #render(state: DirectorState): KernelState {
    if (state.services.length === 0) return EMPTY_KERNEL;
    const plan = this.#plan(state);
    if (this.#rendered?.plan !== plan) this.#rendered = { plan, wanted: render(this.#options.frames, plan) };
    return this.#rendered.wanted;
  }

  async #look(state: DirectorState, thorough = true): Promise<Look> {
    const { kernel } = this.#options;
    const wanted = this.#render(state);
    const plan = this.#plan(state);
    const holds = thorough || this.#known?.plan !== plan ? null : this.#known.generation;
    const rules = { tables: wanted.tables, generation: holds };
    // Asked for before anything is read: what is changed meanwhile has another one.
    const generation = await kernel.generation();
    const scope = { ...scopeOf(state, wanted), rules };
    const [read, links] = await Promise.all([kernel.observe(scope), kernel.links()]);
    const known = generation === null ? null : { state, plan, links, generation, looked: true };
    return { desired: existing(wanted, links, state), read, known };
  }
}

async function carryOutAll(
  operations: readonly Operation[],
  carryOut: (operation: Operation) => Promise<void>,
): Promise<void> {
  for (const stretch of stretchesOf(operations)) await driveLanes(stretch, carryOut);
}

/** Something is not there, or is there already: it was not as it was known, and a look finds out what it is. */
function nullIfSurprised(error: unknown): null {
  if (isNotFound(error) || isExists(error)) return null;
  throw error;
}

/** A table is changed by one commit, which counts one (nf_tables_api.c, nf_tables_commit). */
const commitsOf = (operation: Operation): number =>
  operation.kind === 'rules' ? operation.tables.length : 0;

/**
 * What stands there now is to be known: a sysctl to be put back one day, a jump to be replaced. Those of a hold come and
 * go with it, and nobody waits for a look at everything.
 */
const needsLook = (operation: Operation): boolean =>
  operation.kind === 'sysctl' ||
  (operation.kind === 'rules' &&
    operation.tables.some(({ table, jumps }) => table !== 'raw' && jumps.length > 0));

/** Or in nothing at all. Of a service that is the same object nothing is compared. */
function differInTrialsAlone(a: DirectorState, b: DirectorState): boolean {
  const { services: before, ...hostBefore } = a;
  const { services: after, ...host } = b;
  if (keep(hostBefore, host) !== hostBefore || before.length !== after.length) return false;
  return before.every((one, at) => one === after[at] || isSameButForTrial(one, after[at]));
}

/** While a confirm is under way the rules, too, say who is live. */
function isSameButForTrial(a: ServiceState, b: ServiceState | undefined): boolean {
  if (b === undefined || a.pinned || b.pinned) return false;
  const before = { ...a, trial: null };
  return keep(before, { ...b, trial: null }) === before;
}

function scopeOf({ uplink }: DirectorState, wanted: KernelState): Scope {
  const links = new Set([...wanted.bridges.map(({ name }) => name), ...(uplink === null ? [] : [uplink])]);
  const sysctls = [...Object.values(SYSCTL), ...(uplink === null ? [] : [acceptRa(uplink)])];
  return { links: [...links], sysctls };
}

/** A guest that is not running has no interface, and an uplink may come later: what does not exist is not asked for. */
function existing(
  wanted: KernelState,
  links: readonly LinkInfo[],
  { connected }: DirectorState,
): KernelState {
  if (wanted.bridges.length + wanted.addresses.length === 0) return wanted;
  const byName = linksByName(links);
  const isFree = (name: string): boolean => {
    const link = byName.get(name);
    return link !== undefined && !isTheScripts(link, connected);
  };
  const bridges = new Set(wanted.bridges.map(({ name }) => name));
  return {
    ...wanted,
    bridges: wanted.bridges.map((bridge) => ({
      ...bridge,
      members: [
        ...bridge.members.filter(isFree),
        ...bridge.members.map(standIn).filter((name) => (byName.get(name)?.master ?? null) !== null),
      ],
    })),
    addresses: wanted.addresses.filter(({ link }) => byName.has(link) || bridges.has(link)),
  };
}

const names = new WeakMap<readonly LinkInfo[], ReadonlyMap<string, LinkInfo>>();

function linksByName(links: readonly LinkInfo[]): ReadonlyMap<string, LinkInfo> {
  const known = names.get(links) ?? new Map(links.map((link) => [link.name, link]));
  names.set(links, known);
  return known;
}

/**
 * What QEMU emulates beside a vif, for a guest of Xen that does not know its drivers yet (xl-network-configuration(5)).
 * Xen does not say when its script is done with one, but the script puts it on some bridge.
 */
const standIn = (vif: string): string => `${vif}-emu`;

/** What Xen gives all its interfaces in the host (linux, xen-netback/interface.c; vif-common.sh), and nobody else. */
const XENS_MAC = 'fe:ff:ff:ff:ff:ff';

function isTheScripts({ name, mac }: LinkInfo, connected: DirectorState['connected']): boolean {
  return connected !== undefined && mac === XENS_MAC && !connected.includes(name);
}

function secondsSince(begun: bigint): number {
  return Number(process.hrtime.bigint() - begun) / 1e9;
}

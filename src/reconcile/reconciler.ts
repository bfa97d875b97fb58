import { createHash } from 'node:crypto';
import { DirectorError } from '../lib/errors.ts';
import { printOfProgram } from '../lib/program.ts';
import type { Kernel, LinkInfo, Scope } from '../kernel/kernel.ts';
import type { KernelState } from '../model/kernel-state.ts';
import { EMPTY_KERNEL } from '../model/kernel-state.ts';
import type { Operation } from '../model/operation.ts';
import type { DirectorState } from '../model/state.ts';
import { diff } from '../plan/diff.ts';
import { SYSCTL, acceptRa } from '../plan/links.ts';
import { plan } from '../plan/plan.ts';
import type { Frames } from '../render/render.ts';
import { render } from '../render/render.ts';
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

/** Observe, plan, diff, apply, look again. The caller serializes; nothing here remembers anything of the kernel. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  #program: string | null = null;
  #planned: { readonly state: DirectorState; readonly wanted: KernelState } | null = null;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** What costs time without the kernel, done while something else is waited for. */
  prepare(state: DirectorState): void {
    this.#plan(state);
  }

  /** Equal where this same program wants the same of the kernel. */
  printOf(state: DirectorState): string {
    this.#program ??= printOfProgram(import.meta.url, CODE);
    const { frames } = this.#options;
    return createHash('sha256')
      .update(JSON.stringify([this.#program, frames, state]))
      .digest('hex');
  }

  /** What apply() would do first. */
  async pending(state: DirectorState): Promise<Operation[]> {
    const { desired, read } = await this.#look(state);
    return diff(desired, this.#options.spelling.translate(read));
  }

  /** Makes the kernel what `state` says. Throws KernelError; what was applied before stays, and the next call goes on. */
  async apply(state: DirectorState): Promise<Reconciled> {
    const begun = process.hrtime.bigint();
    const done: Operation[] = [];
    let operations: Operation[] = [];
    let last: KernelState | null = null;
    for (let look = 0; look < LOOKS; look++) {
      const { desired, read } = await this.#look(state);
      if (look >= 2 && last !== null) this.#options.spelling.learn(desired, last, read);
      operations = diff(desired, this.#options.spelling.translate(read));
      if (operations.length === 0) return { operations: done, seconds: secondsSince(begun) };
      for (const operation of operations) await this.#carryOut(operation, read);
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
  async applyRules(state: DirectorState): Promise<void> {
    for (const operation of await this.pending(state)) {
      if (RULES_FIRST.has(operation.kind)) await this.#options.kernel.apply(operation);
    }
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
  #plan(state: DirectorState): KernelState {
    if (this.#planned?.state !== state) {
      const wanted = state.services.length === 0 ? EMPTY_KERNEL : render(this.#options.frames, plan(state));
      this.#planned = { state, wanted };
    }
    return this.#planned.wanted;
  }

  async #look(state: DirectorState): Promise<{ desired: KernelState; read: KernelState }> {
    const { kernel } = this.#options;
    const wanted = this.#plan(state);
    const [read, links] = await Promise.all([kernel.observe(scopeOf(state, wanted)), kernel.links()]);
    return { desired: existing(wanted, links, state), read };
  }
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
  const names = new Set(links.map(({ name }) => name));
  const free = new Set(links.flatMap((link) => (isTheScripts(link, connected) ? [] : [link.name])));
  const placed = new Set(links.flatMap(({ name, master }) => (master === null ? [] : [name])));
  const bridges = new Set(wanted.bridges.map(({ name }) => name));
  return {
    ...wanted,
    bridges: wanted.bridges.map((bridge) => ({
      ...bridge,
      members: [
        ...bridge.members.filter((name) => free.has(name)),
        ...bridge.members.map(standIn).filter((name) => placed.has(name)),
      ],
    })),
    addresses: wanted.addresses.filter(({ link }) => names.has(link) || bridges.has(link)),
  };
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

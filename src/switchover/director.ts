import type { Address, Network } from '../model/address.ts';
import type { Operation } from '../model/operation.ts';
import type { JournalRecord, ServiceSnapshot, SwitchRecord } from '../model/records.ts';
import type { StageRecord } from '../model/stage.ts';
import type { Connections } from '../model/service.ts';
import type { Role, Testing } from '../model/state.ts';
import type { Greeting } from '../health/greet.ts';
import type { Traffic } from '../kernel/kernel.ts';
import type { Events } from '../lib/events.ts';

import type { DomuRow } from './domus.ts';
import type { SwitchPreview } from './preview.ts';
import type { KernelRules } from './rules.ts';

/** Who asks, for the journal: a token's name, or `socket`, `signal`, `director`. */
export interface Actor {
  readonly by: string;
  readonly reason?: string | undefined;
}

/** Milliseconds; null is "never"; undefined is "as the service's definition says". */
export interface SwitchOrder {
  readonly services: readonly string[];
  readonly to: Role;
  readonly connections?: Connections | undefined;
  readonly drainFor?: number | null | undefined;
  readonly confirmWithin?: number | null | undefined;
  readonly force?: boolean | undefined;
  /** Packets wait while everybody is moved and old connections are ended: for this long at the most. Milliseconds. */
  readonly hold?: number | undefined;
}

export interface WhoamiRow {
  readonly service: string;
  readonly domu: string;
  readonly role: Role;
  readonly live: boolean;
  readonly testing: Testing;
  readonly reason: string;
}

/** What a DomU's vifs have carried since they are there; `in` is towards the DomU. */
export interface DomuTraffic {
  readonly domu: string;
  /** Null where the configuration names no vif of it, or none is there. */
  readonly carried: { readonly in: Traffic; readonly out: Traffic } | null;
}

export interface DomuGreetings {
  readonly domu: string;
  readonly role: Role;
  readonly greetings: readonly Greeting[];
}

export interface PendingPlan {
  readonly operations: readonly Operation[];
  /** Whose rules, sets, bridge or addresses they are. */
  readonly services: readonly string[];
  /** What iptables-restore and ip6tables-restore would be given; empty where nothing. */
  readonly restore: { readonly ipv4: string; readonly ipv6: string };
}

export interface Readiness {
  readonly ready: boolean;
  readonly problems: readonly string[];
  readonly since: number;
}

export interface DirectorEvents {
  journal: JournalRecord;
  /** A service's view may have changed in a way that the journal does not tell (health, flows). */
  service: string;
}

/**
 * What the API does, as verbs. Everything that changes something goes through one serial queue, is journalled before
 * it is acknowledged, and throws Refusal (nothing changed) or KernelError (what state things are in is in its text).
 */
export interface Director {
  readonly events: Pick<Events<DirectorEvents>, 'on'>;
  services(): Promise<ServiceSnapshot[]>;
  service(name: string): Promise<ServiceSnapshot>;
  define(
    name: string,
    definition: unknown,
    actor: Actor,
    ifMatch?: number,
  ): Promise<{ snapshot: ServiceSnapshot; created: boolean }>;
  remove(name: string, actor: Actor, ifMatch?: number): Promise<void>;
  switchOver(order: SwitchOrder, actor: Actor): Promise<SwitchRecord>;
  /** What that order would do, and what speaks against it; nothing is changed. */
  preview(order: SwitchOrder): Promise<SwitchPreview>;
  /** What the kernel holds of the service now. */
  rules(name: string): Promise<KernelRules>;
  /** What both DomUs say to who connects to the service's first TCP ports. */
  greetings(name: string): Promise<DomuGreetings[]>;
  traffic(name: string): Promise<{ readonly at: number; readonly domus: readonly DomuTraffic[] }>;
  /** Newest first. */
  switches(page: { limit: number; before?: string | undefined }): SwitchRecord[];
  switchById(id: string): SwitchRecord;
  confirm(id: string, actor: Actor): Promise<SwitchRecord>;
  rollback(id: string, actor: Actor): Promise<SwitchRecord>;
  hold(name: string, forMs: number, actor: Actor): Promise<ServiceSnapshot>;
  release(name: string, actor: Actor): Promise<ServiceSnapshot>;
  enrol(
    name: string,
    source: Network,
    lease: { expiresIn: number | null; note: string | null },
    actor: Actor,
  ): Promise<ServiceSnapshot>;
  unenrol(name: string, source: Network, actor: Actor): Promise<ServiceSnapshot>;
  setTesting(name: string, testing: Testing, actor: Actor): Promise<ServiceSnapshot>;
  /** Makes the dark DomU from the live one; it goes on by itself after the answer. */
  stage(name: string, options: { wait: boolean }, actor: Actor): Promise<StageRecord>;
  /** Takes it away again, also by itself. */
  unstage(name: string, options: { purge: boolean }, actor: Actor): Promise<StageRecord>;
  /** Newest first. */
  stages(page: { limit: number; before?: string | undefined; service?: string | undefined }): StageRecord[];
  stageById(id: string): StageRecord;
  domus(): Promise<DomuRow[]>;
  /** The last lines that it wrote to its console. */
  domuConsole(domu: string, lines: number): Promise<string[]>;
  /** Ends a dark DomU at once. */
  destroyDomu(domu: string, actor: Actor): Promise<void>;
  whoami(source: Address | null): WhoamiRow[];
  plan(): Promise<PendingPlan>;
  /** Newest first; `before`: only older ones than this id. `after`: only newer ones, oldest first. */
  journal(page: {
    limit: number;
    before?: number | undefined;
    after?: number | undefined;
    service?: string | undefined;
  }): JournalRecord[];
  reload(actor: Actor): Promise<void>;
  /** Removes everything of ours from the kernel; the daemon stops directing and is not ready from then on. */
  teardown(actor: Actor): Promise<void>;
  readiness(): Readiness;
  /** The answer that was given to this key, if any. Throws Refusal where the same key came with another request. */
  recall(key: string, fingerprint: string): { status: number; body: string } | null;
  remember(key: string, fingerprint: string, answer: { status: number; body: string }): void;
}

import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { DomainReport } from '../model/records.ts';
import type { Service } from '../model/service.ts';
import { Gathered } from './gathered.ts';
import type { Domain, Hypervisor, Presence } from './hypervisor.ts';
import { domainName, guestKey, matchGuests } from './match.ts';
import type { Guest } from './match.ts';

/** What several things that happen at once are one look for: each start of a guest is dozens of them. Milliseconds. */
const GATHER_MS = 100;
/** How often it is looked while something has just changed: of what follows not everything is told. */
const BUSY_MS = 2000;
const BUSY_FOR_MS = 30_000;
/** The same while nothing does. That a guest is paused nobody tells; that it does not answer any more its probes do. */
const CALM_MS = 30_000;
/** Where nobody tells anything. */
const ALONE_MS = 10_000;
/** What is gone, or paused, for less than this was but started anew. */
const LASTING_MS = 1500;
/** A guest is paused while it is built, which takes its time with much memory; one that stays so was not only built. */
const BUILT_MS = 60_000;
/** So many looks in a row must fail to be told: a host that starts many guests at once may keep one waiting. */
const FAILURES = 2;

/** What Xen says of interfaces in this host. */
export interface GuestInterfaces {
  /** Those of each DomU, by `guestKey`. */
  readonly byDomu: ReadonlyMap<string, readonly string[]>;
  /** All of Xen's, whosever they are, that its script is done with (DomainVif.connected); the others are the script's. */
  readonly connected: readonly string[];
}

/** One DomU is not any more what it was, and has been so for long enough to be told. */
export interface GuestChange {
  readonly service: string;
  readonly domu: string;
  /** Null where nobody knows. */
  readonly before: Told | null;
  readonly now: DomainReport;
}

/** What was told last of a DomU. */
export type Told = Pick<DomainReport, 'state' | 'domid'>;

export interface GuestListener {
  /** The report of some DomU of this service is another one. */
  readonly onReport: (service: string) => void;
  /** Interfaces are others than before: the kernel's side is to be looked at. */
  readonly onVifs: () => void;
  readonly onTold: (changes: readonly GuestChange[]) => void;
  /** Xen does not answer, or does again: null. */
  readonly onFailure: (error: unknown) => void;
}

interface Seen {
  readonly report: DomainReport;
  /** By the clock: since when it is looked at as what it is now. */
  readonly seenAt: number;
}

/**
 * What Xen says of the DomUs of these services. Looks when it is told that something has happened and once in a while;
 * does nothing at all where there is no Xen. Never throws, and keeps no process alive.
 */
export class Guests {
  readonly #hypervisor: Hypervisor;
  readonly #clock: Clock;
  #listener: GuestListener | null = null;
  #services: readonly Service[] = [];
  #domains: readonly Domain[] | null = null;
  #interfaces: GuestInterfaces | null = null;
  readonly #seen = new Map<string, Seen>();
  readonly #told = new Map<string, Told>();
  /** Those of which there was a domain at some time. */
  readonly #once = new Set<string>();
  #failure: unknown = null;
  #failures = 0;
  #looking: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #busyUntil = -Infinity;
  #cancel: () => void = () => undefined;
  #turning = false;
  #disturbances = 0;
  /** Looks for themselves: a look at everything may take long, while guests are built. */
  readonly #vifs: Gathered;
  #closed = false;

  constructor({ hypervisor, clock }: { hypervisor: Hypervisor; clock: Clock }) {
    this.#hypervisor = hypervisor;
    this.#clock = clock;
    this.#vifs = new Gathered(clock, GATHER_MS, () => this.#lookAtVifs());
  }

  get presence(): Presence {
    return this.#hypervisor.presence;
  }

  /** Whether Xen answered last; null where there is none. */
  get answers(): boolean | null {
    return this.presence.kind === 'none' ? null : this.#failure === null;
  }

  /** From now on these. What was told of a DomU stays told. */
  watch(services: readonly Service[]): void {
    this.#services = services;
    if (this.presence.kind === 'none') return;
    const wanted = new Set(
      services.flatMap(({ name, domus }) => domus.map((domu) => guestKey(name, domu.name))),
    );
    for (const key of [...this.#seen.keys(), ...this.#told.keys()]) {
      if (wanted.has(key)) continue;
      this.#seen.delete(key);
      this.#told.delete(key);
      this.#once.delete(key);
    }
    if (this.#domains !== null) this.#takeInterfaces(matchGuests(services, this.#domains), this.#domains);
    if (this.#listener !== null) void this.look();
  }

  /** What an earlier director was told last, by `guestKey`. */
  remember(told: ReadonlyMap<string, Told>): void {
    for (const [key, one] of told) {
      this.#told.set(key, one);
      if (one.domid !== null) this.#once.add(key);
    }
  }

  told(): ReadonlyMap<string, Told> {
    return this.#told;
  }

  start(listener: GuestListener): void {
    if (this.presence.kind === 'none') return;
    this.#listener = listener;
    this.#hypervisor.onChange(() => this.#disturbed());
    this.#busyUntil = this.#clock.now() + BUSY_FOR_MS;
    this.#wait(GATHER_MS);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#vifs.close();
    this.#hypervisor.close();
  }

  /** Null where there is no Xen, or it was not looked at yet. */
  report(service: string, domu: string): DomainReport | null {
    const seen = this.#seen.get(guestKey(service, domu));
    if (seen === undefined) return null;
    return this.#failure === null ? seen.report : { ...seen.report, state: 'unknown' };
  }

  /** Whether there was a domain of its name, as far as anybody remembers. */
  wasThere(service: string, domu: string): boolean {
    return this.#once.has(guestKey(service, domu));
  }

  /**
   * Interfaces as Xen knows them; the same object for as long as they are the same. Null where nothing better is known
   * than the configuration's names. While Xen does not answer they are what they were.
   */
  get interfaces(): GuestInterfaces | null {
    return this.#interfaces;
  }

  /** Looks now. Whoever asks while it is looked already has the look after that one: this one may have come too early. */
  look(): Promise<void> {
    if (this.presence.kind === 'none' || this.#closed) return Promise.resolve();
    if (this.#looking === null) return this.#begin();
    this.#next ??= this.#looking.then(() => {
      this.#next = null;
      return this.#begin();
    });
    return this.#next;
  }

  /** The same, without waiting for longer than this: a Xen that does not answer keeps nobody from starting. Milliseconds. */
  async lookWithin(ms: number): Promise<void> {
    if (this.presence.kind === 'none') return;
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => (cancel = this.#clock.after(ms, resolve)));
    await Promise.race([this.look(), late]);
    cancel();
  }

  #begin(): Promise<void> {
    this.#looking = this.#look().finally(() => (this.#looking = null));
    return this.#looking;
  }

  #disturbed(): void {
    this.#busyUntil = this.#clock.now() + BUSY_FOR_MS;
    this.#disturbances++;
    this.#vifs.tell();
    if (!this.#turning) this.#wait(GATHER_MS);
  }

  #wait(ms: number): void {
    this.#cancel();
    if (this.#closed) return;
    this.#cancel = this.#clock.after(ms, () => void this.#turn());
  }

  async #turn(): Promise<void> {
    this.#turning = true;
    const before = this.#disturbances;
    await this.look();
    this.#turning = false;
    // What was told meanwhile may have come too late for that look.
    this.#wait(this.#disturbances === before ? this.#patience() : GATHER_MS);
  }

  /** A vif is put on its bridge before anybody has asked how its guest is: it may begin to talk any moment. */
  async #lookAtVifs(): Promise<void> {
    const services = this.#services;
    const domains = await this.#hypervisor.vifs();
    if (domains === null || this.#closed || services !== this.#services) return;
    this.#takeInterfaces(matchGuests(services, domains), domains);
  }

  #patience(): number {
    if (this.#clock.now() < this.#busyUntil) return BUSY_MS;
    return this.#hypervisor.tells() ? CALM_MS : ALONE_MS;
  }

  async #look(): Promise<void> {
    const services = this.#services;
    try {
      const domains = await this.#hypervisor.domains();
      if (this.#closed) return;
      // What was asked for meanwhile is looked at next.
      if (services !== this.#services) {
        this.#disturbed();
        return;
      }
      this.#succeed();
      this.#domains = domains;
      this.#note(services, matchGuests(services, domains), domains);
    } catch (error) {
      if (!this.#closed) this.#fail(error);
    }
  }

  #succeed(): void {
    this.#failures = 0;
    if (this.#failure === null) return;
    this.#failure = null;
    this.#listener?.onFailure(null);
    this.#reportAll();
  }

  #fail(error: unknown): void {
    this.#failures++;
    if (this.#failures < FAILURES) {
      this.#busyUntil = Math.max(this.#busyUntil, this.#clock.now() + BUSY_MS);
      return;
    }
    const known = this.#failure;
    this.#failure = error;
    if (known === null || messageOf(known) !== messageOf(error)) this.#listener?.onFailure(error);
    if (known === null) this.#reportAll();
  }

  #reportAll(): void {
    for (const { name } of this.#services) this.#listener?.onReport(name);
  }

  #note(services: readonly Service[], found: ReadonlyMap<string, Guest>, domains: readonly Domain[]): void {
    const changes = services.flatMap(({ name, domus }) =>
      domus.flatMap((domu) => {
        const domain = found.get(guestKey(name, domu.name))?.domain ?? null;
        return this.#noteOne(name, domu.name, domainName(domu), domain);
      }),
    );
    this.#takeInterfaces(found, domains);
    if (changes.length > 0) this.#listener?.onTold(changes);
  }

  #takeInterfaces(found: ReadonlyMap<string, Guest>, domains: readonly Domain[]): void {
    const interfaces = {
      byDomu: new Map([...found].map(([key, { vifs }]) => [key, vifs])),
      connected: domains.flatMap(({ vifs }) =>
        vifs.flatMap(({ connected, name }) => (connected ? [name] : [])),
      ),
    };
    if (this.#interfaces !== null && textOf(interfaces) === textOf(this.#interfaces)) return;
    this.#interfaces = interfaces;
    this.#listener?.onVifs();
  }

  #noteOne(service: string, domu: string, name: string, domain: Domain | null): GuestChange[] {
    const key = guestKey(service, domu);
    const now = this.#clock.now();
    const state = domain?.state ?? 'absent';
    const domid = domain?.domid ?? null;
    if (domid !== null) this.#once.add(key);
    const before = this.#seen.get(key);
    const same = before?.report.state === state && before.report.domid === domid;
    const seen: Seen = same ? before : { report: { name, state, domid, since: now }, seenAt: now };
    if (!same) {
      this.#seen.set(key, seen);
      if (before !== undefined) this.#busyUntil = now + BUSY_FOR_MS;
      this.#listener?.onReport(service);
    }
    return this.#untold(service, domu, seen, now);
  }

  #untold(service: string, domu: string, { report, seenAt }: Seen, now: number): GuestChange[] {
    const key = guestKey(service, domu);
    const before = this.#told.get(key) ?? null;
    if (before?.state === report.state && before.domid === report.domid) return [];
    if (this.#listener === null || now - seenAt < lastingOf(report, before)) return [];
    this.#told.set(key, { state: report.state, domid: report.domid });
    return [{ service, domu, before, now: report }];
  }
}

const textOf = ({ byDomu, connected }: GuestInterfaces): string => JSON.stringify([[...byDomu], connected]);

/** For how long a DomU must be as it is now to be told so. */
function lastingOf({ state, domid }: DomainReport, before: Told | null): number {
  if (state === 'running' || state === 'crashed') return 0;
  return state === 'paused' && domid !== before?.domid ? BUILT_MS : LASTING_MS;
}

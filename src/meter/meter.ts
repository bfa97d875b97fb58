import { CounterReader } from '../kernel/links/counters.ts';
import { messageOf } from '../lib/errors.ts';
import { SerialQueue } from '../lib/queue.ts';
import { chargeFor, shareOut, timedOf } from './charge.ts';
import type { GaugeChoice } from './choose.ts';
import type { Measurement, Ports } from './gauge.ts';
import { onlineCpus, softirqSeconds, softnet } from './host.ts';
import { Ledger } from './ledger.ts';
import type { Charge, Direction } from './ledger.ts';
import { Means } from './means.ts';
import { vifsOf } from './metered-domus.ts';
import { typicalBaseline } from './model.ts';
import { Netback } from './netback.ts';
import type { MeteredVif, MeterOptions } from './options.ts';
import type { CpuBaseline, CpuProbe, CpuReport, Meter } from './report.ts';
import { SoftirqAccount } from './softirq.ts';
import { TrafficReader } from './traffic.ts';
import type { LinkTraffic } from './traffic.ts';
import { unmeasuredOf } from './unmeasured.ts';

export interface MeterParts {
  readonly choice: GaugeChoice;
  /** Measures what a plain bridge takes here; throws where that cannot be. */
  readonly measureBaseline: (signal: AbortSignal) => Promise<CpuBaseline>;
}

/** A vif of a DomU that is there, and what it carried. */
interface Found {
  readonly vif: MeteredVif;
  readonly traffic: LinkTraffic;
}

/**
 * Packets a second of a vif that are worth hooking for: fewer, such as a host's own probes, cost less than the hooks
 * would. Now and then any packet is, so that what they cost is known too; in intervals.
 */
const WORTH_IT = 50;
const SELDOM = 30;

const DIRECTIONS: readonly Direction[] = ['in', 'out'];

/** Measures at each interval, one interval after another. A measurement that fails is told, and none the worse. */
export class RunningMeter implements Meter {
  readonly #options: MeterOptions;
  readonly #parts: MeterParts;
  readonly #counters: CounterReader;
  readonly #traffic = new TrafficReader();
  readonly #ledger = new Ledger();
  readonly #means = new Means();
  readonly #netback = new Netback();
  readonly #softirqs = new SoftirqAccount();
  readonly #queue = new SerialQueue();
  readonly #probe = { costSeconds: 0, windows: 0, samples: 0, clipped: 0, failures: 0 };
  #check: { cpuSeconds: number; overheadSeconds: number } | null = null;
  #baseline: CpuBaseline;
  #calibrating: Promise<CpuBaseline> | null = null;
  #netbackSums: CpuReport['netback'] = [];
  #unmeasured: CpuReport['unmeasured'] = [];
  #seconds = 0;
  readonly #beganAt: number;
  #lastAt: number | null = null;
  #busiest: readonly number[] = [];
  #looks = 0;
  #troubled = false;
  #cancel: () => void = () => undefined;
  readonly #end = new AbortController();

  constructor(options: MeterOptions, parts: MeterParts) {
    this.#options = options;
    this.#counters = new CounterReader(options.openRoute);
    this.#parts = parts;
    this.#beganAt = options.clock.now();
    this.#baseline = typicalBaseline(this.#beganAt);
    this.#ledger.keep(vifsOf(options.domus()));
  }

  /** The first look, from which everything counts; then one at each interval. */
  async start(): Promise<void> {
    await this.#queue.run(() => this.#attempt());
    this.#schedule();
    // Its result is kept, or the typical figures are.
    void this.calibrate().catch(() => undefined);
  }

  report(): CpuReport {
    const { wanted } = this.#options;
    const { mode, why } = this.#parts.choice.state;
    const { exactSeconds, why: whyNotExact } = this.#softirqs.state;
    return {
      at: new Date(this.#lastAt ?? this.#beganAt).toISOString(),
      mode,
      forced: mode === wanted,
      why,
      interval: this.#seconds,
      cores: onlineCpus(),
      baseline: this.#baseline,
      flows: this.#ledger.flows(),
      unmeasured: this.#unmeasured,
      netback: this.#netbackSums,
      softirq: { tickSeconds: softirqSeconds(), exactSeconds, whyNotExact },
      softnet: softnet(),
      probe: this.#probeNow(),
      check: this.#check,
    };
  }

  #probeNow(): CpuProbe {
    return { ...this.#probe, failures: this.#parts.choice.failures };
  }

  /** Beside the measuring, for it is another process. Who asks while it is at it gets the same answer. */
  calibrate(): Promise<CpuBaseline> {
    this.#calibrating ??= this.#calibrate().finally(() => (this.#calibrating = null));
    return this.#calibrating;
  }

  async #calibrate(): Promise<CpuBaseline> {
    try {
      this.#baseline = await this.#parts.measureBaseline(this.#end.signal);
      return this.#baseline;
    } catch (error) {
      if (!this.#end.signal.aborted) this.#options.log('info', messageOf(error));
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#end.abort();
    this.#cancel();
    await this.#queue.idle();
    await this.#calibrating?.catch(() => undefined);
    await this.#parts.choice.close();
    this.#counters.close();
  }

  #schedule(): void {
    if (this.#end.signal.aborted) return;
    this.#cancel = this.#options.clock.after(this.#options.interval, () => {
      void this.#queue.run(() => this.#attempt()).then(() => this.#schedule());
    });
  }

  async #attempt(): Promise<void> {
    if (this.#end.signal.aborted) return;
    try {
      await this.#measure();
      this.#troubled = false;
    } catch (error) {
      if (!this.#troubled)
        this.#options.log('warn', `CPU costs were not measured in this interval: ${messageOf(error)}`);
      this.#troubled = true;
    }
  }

  async #measure(): Promise<void> {
    const domus = this.#options.domus();
    const vifs = vifsOf(domus);
    this.#ledger.keep(vifs);
    const before = await this.#counters.read();
    const index = new Map(before.map((link) => [link.name, link.index]));
    const uplinkName = this.#options.uplink();
    const uplink = uplinkName === null ? null : (index.get(uplinkName) ?? null);
    const measured = await this.#parts.choice.measure(this.#ports(vifs, index, uplink));
    const traffic = this.#traffic.next(await this.#counters.read());
    const now = this.#options.clock.now();
    this.#unmeasured = unmeasuredOf(domus, new Set(traffic.map(({ name }) => name)));
    this.#note(measured);
    this.#charge(this.#find(vifs, traffic), uplink, measured);
    this.#seconds = this.#lastAt === null ? 0 : Math.max((now - this.#lastAt) / 1000, 0);
    this.#lastAt = now;
    this.#ledger.settle(this.#seconds);
    this.#netbackSums = this.#netback.next(vifs);
  }

  /** Those that carried most in the last interval come first. */
  #ports(vifs: readonly MeteredVif[], index: ReadonlyMap<string, number>, uplink: number | null): Ports {
    const there = vifs.flatMap(({ ifname }) => index.get(ifname) ?? []);
    const rank = new Map(this.#busiest.map((each, at) => [each, at]));
    const rankOf = (each: number): number => rank.get(each) ?? rank.size;
    return {
      uplink,
      vifs: there.toSorted((a, b) => rankOf(a) - rankOf(b)),
      busy: there.filter((each) => rank.has(each)).length,
    };
  }

  #find(vifs: readonly MeteredVif[], traffic: readonly LinkTraffic[]): Found[] {
    const byName = new Map(traffic.map((each) => [each.name, each]));
    const found = vifs.flatMap((vif) => {
      const each = byName.get(vif.ifname);
      return each === undefined ? [] : [{ vif, traffic: each }];
    });
    const packets = ({ traffic: { in: towards, out } }: Found): number => towards.packets + out.packets;
    const least = this.#looks++ % SELDOM === 0 ? 1 : Math.max(WORTH_IT * this.#seconds, 1);
    this.#busiest = found
      .filter((each) => packets(each) >= least)
      .toSorted((a, b) => packets(b) - packets(a))
      .map(({ traffic: { index } }) => index);
    this.#means.keep(new Set(found.map(({ traffic: { index } }) => index)));
    return found;
  }

  #note({ costSeconds, windows, samples, pairs, softirq, check }: Measurement): void {
    this.#softirqs.note(softirq);
    this.#probe.costSeconds += costSeconds;
    this.#probe.windows += windows;
    this.#probe.samples += samples;
    this.#probe.clipped += pairs.reduce((sum, { clipped }) => sum + clipped, 0);
    if (check === null) return;
    this.#check = {
      cpuSeconds: (this.#check?.cpuSeconds ?? 0) + check.cpuSeconds,
      overheadSeconds: (this.#check?.overheadSeconds ?? 0) + check.overheadSeconds,
    };
  }

  #charge(found: readonly Found[], uplink: number | null, measured: Measurement): void {
    const each = found.flatMap(({ vif, traffic }) =>
      DIRECTIONS.map((direction) => ({ vif, traffic, direction })),
    );
    const charges = each.map(({ vif, traffic, direction }): Charge => {
      const timed = timedOf(measured.pairs, uplink, traffic.index, direction);
      this.#means.learn(vif.service, traffic.index, direction, timed);
      const mean = this.#means.of(vif.service, traffic.index, direction);
      return chargeFor(traffic[direction], mean, timed.packets, this.#baseline);
    });
    const shared = measured.total === null ? charges : shareOut(charges, measured.total);
    each.forEach(({ vif, direction }, at) => {
      const charge = shared[at];
      if (charge !== undefined) this.#ledger.charge(vif, direction, charge);
    });
  }
}

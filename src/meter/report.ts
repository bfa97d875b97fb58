/** How a figure of what routing costs was made; from the truest to the roughest. */
export const METER_MODES = ['windows', 'always', 'sampler', 'model', 'off'] as const;
export type MeterMode = (typeof METER_MODES)[number];

/** What one DomU's vifs carried in one direction, and what the host's CPU did for it. */
export interface CpuFlow {
  readonly service: string;
  readonly role: 'primary' | 'secondary';
  readonly domu: string;
  /** As the DomU sees it: `in` is towards it. */
  readonly direction: 'in' | 'out';
  /** Since the meter began: packets (skbs, not wire frames) and bytes, from the links' own counters. */
  readonly packets: number;
  readonly bytes: number;
  /** Since the meter began; seconds of CPU in all, and of it what is more than a plain bridge would have taken. */
  readonly cpuSeconds: number;
  readonly overheadSeconds: number;
  /** Over the last interval. */
  readonly packetsPerSecond: number;
  /** Share of one core, 0 to the number of cores. */
  readonly cpuShare: number;
  readonly overheadShare: number;
  /** Mean nanoseconds a packet over the last interval in which it was measured; null: never yet. */
  readonly nanosPerPacket: number | null;
  /** Packets that were timed, since the meter began. */
  readonly samples: number;
}

/** Nanoseconds a packet on a plain bridge; the overhead is what is above it. */
export interface CpuBaseline {
  readonly smallNanos: number;
  readonly bulkNanos: number;
  /** RFC 3339. */
  readonly measuredAt: string;
  /** False: typical figures, since this host could not measure its own. */
  readonly measured: boolean;
}

/** What the meter itself cost and did, since it began. */
export interface CpuProbe {
  readonly costSeconds: number;
  readonly windows: number;
  readonly samples: number;
  /** Spans of over 1 ms: the CPU was taken away; counted here, and left out of every mean. */
  readonly clipped: number;
  /** Windows that failed, and fell back. */
  readonly failures: number;
}

export interface CpuReport {
  /** When the last measurement ended; RFC 3339. */
  readonly at: string;
  readonly mode: MeterMode;
  /** The configuration asked for this mode; else it was chosen. */
  readonly forced: boolean;
  /** Why this mode and no truer one, in words; empty for the truest. */
  readonly why: string;
  /** Length of the last interval; seconds. */
  readonly interval: number;
  readonly cores: number;
  readonly baseline: CpuBaseline | null;
  readonly flows: readonly CpuFlow[];
  /** DomUs whose packets nobody sees, in no flow or in one that stands still, with the reason in words. */
  readonly unmeasured: readonly (Pick<CpuFlow, 'service' | 'role' | 'domu'> & { readonly why: string })[];
  /** Xen: kernel threads of each DomU's vifs, seconds since the meter began; empty elsewhere. */
  readonly netback: readonly { readonly domu: string; readonly service: string; readonly seconds: number }[];
  /**
   * Seconds in all softirqs since boot, by ticks (/proc/stat); in those that receive from the network, since the meter
   * began, timed in windows and scaled to all that the kernel counts. Null with the reason, in words, why not.
   */
  readonly softirq: {
    readonly tickSeconds: number;
    readonly exactSeconds: number | null;
    readonly whyNotExact: string;
  };
  /** /proc/net/softnet_stat, since boot. */
  readonly softnet: { readonly dropped: number; readonly squeezed: number };
  readonly probe: CpuProbe;
  /**
   * What another way of measuring found since the meter began, over all services: call chains sampled on every CPU.
   * Null where it cannot be had, or is what the figures are made of.
   */
  readonly check: { readonly cpuSeconds: number; readonly overheadSeconds: number } | null;
}

/** Measures by itself, in the background, for as long as it lives. */
export interface Meter {
  report(): CpuReport;
  /** Measures the baseline anew. */
  calibrate(): Promise<CpuBaseline>;
  stop(): Promise<void>;
}

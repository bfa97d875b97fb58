import { METER_MODES } from '../meter/report.ts';
import type { CpuFlow, CpuReport } from '../meter/report.ts';
import { Kept, NAME, familyOf, familyWith, labelText } from './text-format.ts';
import type { Family, Sample } from './text-format.ts';

/** What one DomU's vifs carried in one direction, with its labels. */
export interface LabelledFlow {
  readonly flow: CpuFlow;
  readonly labels: string;
}

/** The same at each scrape. */
export const flowLabels = (): Kept<CpuFlow, string> =>
  new Kept(
    ({ service, role, domu, direction }) => `${service} ${role} ${domu} ${direction}`,
    ({ service, role, domu, direction }) => labelText({ service, role, domu, direction }),
  );

/** What routing costs, as the meter tells it; how each figure was made is told by `meter_mode`. */
export function* cpuFamilies(report: CpuReport, flows: readonly LabelledFlow[]): Generator<Family> {
  for (const { name, type = 'gauge', help, samples } of REPORT) {
    yield familyWith({ name: NAME + name, type, help }, samples(report));
  }
  for (const { name, type = 'gauge', help, value } of FLOW) {
    yield familyOf({ name: NAME + name, type, help }, flows, ({ flow, labels }, put) => {
      const found = value(flow);
      if (found !== null) put(labels, found);
    });
  }
}

const FLOW: readonly {
  readonly name: string;
  readonly type?: Family['type'];
  readonly help: string;
  readonly value: (flow: CpuFlow) => number | null;
}[] = [
  {
    name: 'routing_cpu_seconds_total',
    type: 'counter',
    help: "CPU time that the host's kernel spent on packets to (in) and from (out) the DomU: packets of its vifs times the mean time of a packet, as meter_mode says it was found.",
    value: ({ cpuSeconds }) => cpuSeconds,
  },
  {
    name: 'routing_overhead_seconds_total',
    type: 'counter',
    help: 'The part of routing_cpu_seconds_total that a plain bridge would not have taken: what is above routing_baseline_seconds.',
    value: ({ overheadSeconds }) => overheadSeconds,
  },
  {
    name: 'routing_packet_cost_seconds',
    help: 'Mean CPU time of a packet over the last interval in which it was measured.',
    value: ({ nanosPerPacket }) => (nanosPerPacket === null ? null : nanosPerPacket / 1e9),
  },
  {
    name: 'vif_packets_total',
    type: 'counter',
    help: "Packets (skbs: what is segmented or gathered counts once) of the DomU's vifs, by the links' own counters.",
    value: ({ packets }) => packets,
  },
  {
    name: 'vif_bytes_total',
    type: 'counter',
    help: "Bytes of the DomU's vifs, by the links' own counters.",
    value: ({ bytes }) => bytes,
  },
  {
    name: 'meter_flow_samples_total',
    type: 'counter',
    help: 'Packets of the DomU that were timed.',
    value: ({ samples }) => samples,
  },
];

const single =
  (value: (report: CpuReport) => number | null) =>
  (report: CpuReport): Sample[] => {
    const found = value(report);
    return found === null ? [] : [{ labels: '', value: found }];
  };

const REPORT: readonly {
  readonly name: string;
  readonly type?: Family['type'];
  readonly help: string;
  readonly samples: (report: CpuReport) => Sample[];
}[] = [
  {
    name: 'meter_mode',
    help: '1 for how the figures of routing are made now, 0 for the others, from the truest to the roughest: windows (packets timed some of the time), always (all the time), sampler (call chains), model (typical costs), off.',
    samples: ({ mode }) =>
      METER_MODES.map((one) => ({ labels: labelText({ mode: one }), value: Number(one === mode) })),
  },
  {
    name: 'meter_mode_forced',
    help: '1 when the configuration asked for this mode.',
    samples: single(({ forced }) => Number(forced)),
  },
  {
    name: 'meter_interval_seconds',
    help: 'Length of the last interval that was measured.',
    samples: single(({ interval }) => interval),
  },
  {
    name: 'cpu_cores',
    help: 'Cores of this host.',
    samples: single(({ cores }) => cores),
  },
  {
    name: 'routing_baseline_seconds',
    help: 'CPU time of a packet on a plain bridge, small ones and bulk; overhead is what is above it.',
    samples: ({ baseline }) =>
      baseline === null
        ? []
        : [
            { labels: labelText({ kind: 'small' }), value: baseline.smallNanos / 1e9 },
            { labels: labelText({ kind: 'bulk' }), value: baseline.bulkNanos / 1e9 },
          ],
  },
  {
    name: 'routing_baseline_measured',
    help: '1 when the baseline was measured on this host, 0 when it is a typical one.',
    samples: single(({ baseline }) => (baseline === null ? null : Number(baseline.measured))),
  },
  {
    name: 'routing_baseline_timestamp_seconds',
    help: 'Unix time at which the baseline was measured.',
    samples: single(({ baseline }) => (baseline === null ? null : Date.parse(baseline.measuredAt) / 1000)),
  },
  {
    name: 'netback_cpu_seconds_total',
    type: 'counter',
    help: "CPU time of the kernel threads of the DomU's vifs (Xen's netback: guest-rx and dealloc), from /proc/PID/schedstat; what guests send is in routing_cpu_seconds_total.",
    samples: ({ netback }) =>
      netback.map(({ service, domu, seconds }) => ({ labels: labelText({ service, domu }), value: seconds })),
  },
  {
    name: 'softirq_seconds_total',
    type: 'counter',
    help: 'CPU time in all softirqs of this host, by clock ticks: /proc/stat.',
    samples: single(({ softirq }) => softirq.tickSeconds),
  },
  {
    name: 'softirq_network_seconds_total',
    type: 'counter',
    help: 'CPU time in softirqs of this host that receive from the network, since the meter began: those in windows (meter_mode) are timed at their begin and end, and the mean is scaled to all that /proc/softirqs counts; absent where softirqs cannot be timed, and until the first were.',
    samples: single(({ softirq }) => softirq.exactSeconds),
  },
  {
    name: 'softnet_dropped_total',
    type: 'counter',
    help: 'Packets that this host dropped because a backlog was full: /proc/net/softnet_stat.',
    samples: single(({ softnet }) => softnet.dropped),
  },
  {
    name: 'softnet_squeezed_total',
    type: 'counter',
    help: 'Times that network softirqs ended with work left, their budget used up: /proc/net/softnet_stat.',
    samples: single(({ softnet }) => softnet.squeezed),
  },
  {
    name: 'meter_cost_seconds_total',
    type: 'counter',
    help: 'CPU time that the measuring itself took.',
    samples: single(({ probe }) => probe.costSeconds),
  },
  {
    name: 'meter_windows_total',
    type: 'counter',
    help: 'Windows in which packets were timed.',
    samples: single(({ probe }) => probe.windows),
  },
  {
    name: 'meter_samples_total',
    type: 'counter',
    help: 'Packets, or call chains, that were looked at.',
    samples: single(({ probe }) => probe.samples),
  },
  {
    name: 'meter_clipped_total',
    type: 'counter',
    help: 'Packets of over 1 ms, while which the CPU was taken away: counted at 1 ms.',
    samples: single(({ probe }) => probe.clipped),
  },
  {
    name: 'meter_failures_total',
    type: 'counter',
    help: 'Windows that failed, after which a rougher mode took over.',
    samples: single(({ probe }) => probe.failures),
  },
];

import type { Dashboard } from './grafana.ts';
import { OF_HOSTS, OF_SERVICES, SERVICES } from './variables.ts';

const rate = (metric: string, selector: string): string =>
  `rate(dom0_director_${metric}{${selector}}[$__rate_interval])`;

export const routing: Dashboard = {
  uid: 'dom0-director-routing',
  title: 'Dom0 Director: what routing costs',
  description:
    "CPU that the host's kernel spends on directing, against a plain bridge, and how the figures are made.",
  from: 'now-6h',
  variables: SERVICES,
  rows: [
    {
      title: 'Cores',
      panels: [
        {
          title: 'CPU of routing, by service',
          description: 'Cores that the kernel spends on packets of each service.',
          kind: 'timeseries',
          unit: 'percentunit',
          width: 12,
          stack: true,
          queries: [
            {
              expr: `sum by (instance, service) (${rate('routing_cpu_seconds_total', OF_SERVICES)})`,
              legend: '{{service}}',
            },
          ],
        },
        {
          title: 'Overhead, by service',
          description:
            'The part of it that a plain bridge would not have taken. Over half a core for long: an alert.',
          kind: 'timeseries',
          unit: 'percentunit',
          width: 12,
          stack: true,
          thresholds: [{ from: 0.5, color: 'red' }],
          queries: [
            {
              expr: `sum by (instance, service) (${rate('routing_overhead_seconds_total', OF_SERVICES)})`,
              legend: '{{service}}',
            },
          ],
        },
        {
          title: 'CPU by DomU and direction',
          description: 'Cores for packets to (in) and from (out) each DomU.',
          kind: 'timeseries',
          unit: 'percentunit',
          width: 12,
          queries: [
            {
              expr: `sum by (domu, direction) (${rate('routing_cpu_seconds_total', OF_SERVICES)})`,
              legend: '{{domu}} {{direction}}',
            },
          ],
        },
        {
          title: 'Netback threads',
          description:
            "Cores that Xen's threads for the vifs take, which come on top. No data: not a Xen host.",
          kind: 'timeseries',
          unit: 'percentunit',
          width: 12,
          queries: [{ expr: rate('netback_cpu_seconds_total', OF_SERVICES), legend: '{{domu}}' }],
        },
      ],
    },
    {
      title: 'Packets',
      panels: [
        {
          title: 'Cost of a packet',
          description:
            'Mean CPU time of a packet, by DomU and direction, against the baselines of a plain bridge.',
          kind: 'timeseries',
          unit: 's',
          width: 12,
          queries: [
            {
              expr: `dom0_director_routing_packet_cost_seconds{${OF_SERVICES}}`,
              legend: '{{domu}} {{direction}}',
            },
            {
              expr: `dom0_director_routing_baseline_seconds{${OF_HOSTS}}`,
              legend: 'bridge, {{kind}} packets',
            },
          ],
        },
        {
          title: 'Packets of vifs',
          description: 'Packets a second by the links own counters: bridged ones too.',
          kind: 'timeseries',
          unit: 'pps',
          width: 12,
          queries: [
            {
              expr: `sum by (domu, direction) (${rate('vif_packets_total', OF_SERVICES)})`,
              legend: '{{domu}} {{direction}}',
            },
          ],
        },
        {
          title: 'Bytes of vifs',
          description: 'Bytes a second by the links own counters.',
          kind: 'timeseries',
          unit: 'Bps',
          width: 12,
          queries: [
            {
              expr: `sum by (domu, direction) (${rate('vif_bytes_total', OF_SERVICES)})`,
              legend: '{{domu}} {{direction}}',
            },
          ],
        },
        {
          title: 'Softirqs of the host',
          description:
            'Cores in softirqs: all by clock ticks; those that receive packets as timed in windows and scaled, where the kernel lets them be timed.',
          kind: 'timeseries',
          unit: 'percentunit',
          width: 12,
          queries: [
            { expr: rate('softirq_seconds_total', OF_HOSTS), legend: 'all, by ticks' },
            { expr: rate('softirq_network_seconds_total', OF_HOSTS), legend: 'network' },
          ],
        },
        {
          title: 'Backlog',
          description:
            'Packets that were dropped because a backlog was full, and rounds that ended with work left.',
          kind: 'timeseries',
          unit: 'pps',
          width: 12,
          queries: [
            { expr: rate('softnet_dropped_total', OF_HOSTS), legend: 'dropped' },
            { expr: rate('softnet_squeezed_total', OF_HOSTS), legend: 'squeezed' },
          ],
        },
      ],
    },
    {
      title: 'How the figures are made',
      panels: [
        {
          title: 'Mode',
          description: 'windows and always time packets; sampler and model are estimates.',
          kind: 'state-timeline',
          unit: 'short',
          width: 12,
          words: { 0: { text: 'no', color: 'transparent' }, 1: { text: 'yes', color: 'green' } },
          queries: [{ expr: `dom0_director_meter_mode{${OF_HOSTS}}`, legend: '{{mode}}' }],
        },
        {
          title: 'Cost of measuring',
          description: 'Cores that the measuring itself takes.',
          kind: 'timeseries',
          unit: 'percentunit',
          width: 12,
          thresholds: [{ from: 0.05, color: 'yellow' }],
          queries: [{ expr: rate('meter_cost_seconds_total', OF_HOSTS), legend: '{{instance}}' }],
        },
        {
          title: 'Packets that were timed',
          description: 'Samples a second, those that took over 1 ms (the CPU was taken away), and windows.',
          kind: 'timeseries',
          unit: 'cps',
          width: 12,
          queries: [
            { expr: rate('meter_samples_total', OF_HOSTS), legend: 'samples' },
            { expr: rate('meter_clipped_total', OF_HOSTS), legend: 'clipped' },
            { expr: rate('meter_windows_total', OF_HOSTS), legend: 'windows' },
          ],
        },
        {
          title: 'Samples, by DomU',
          description: 'Packets a second that were timed for each DomU: few samples make a rough figure.',
          kind: 'timeseries',
          unit: 'cps',
          width: 12,
          queries: [
            { expr: `sum by (domu) (${rate('meter_flow_samples_total', OF_SERVICES)})`, legend: '{{domu}}' },
          ],
        },
        {
          title: 'Failures',
          description: 'Windows that failed in the last hour, after which a rougher mode took over.',
          kind: 'stat',
          unit: 'short',
          width: 8,
          thresholds: [{ from: 1, color: 'yellow' }],
          queries: [
            { expr: `increase(dom0_director_meter_failures_total{${OF_HOSTS}}[1h])`, legend: '{{instance}}' },
          ],
        },
        {
          title: 'Baseline',
          description: '1: measured on this host; 0: typical figures.',
          kind: 'stat',
          unit: 'short',
          width: 8,
          words: { 0: { text: 'typical', color: 'yellow' }, 1: { text: 'measured', color: 'green' } },
          queries: [{ expr: `dom0_director_routing_baseline_measured{${OF_HOSTS}}`, legend: '{{instance}}' }],
        },
        {
          title: 'Age of the baseline',
          description: 'Time since the baseline was measured.',
          kind: 'stat',
          unit: 's',
          width: 8,
          queries: [
            {
              expr: `time() - dom0_director_routing_baseline_timestamp_seconds{${OF_HOSTS}}`,
              legend: '{{instance}}',
            },
          ],
        },
      ],
    },
  ],
};

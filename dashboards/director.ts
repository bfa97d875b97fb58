import type { Dashboard } from './grafana.ts';
import { HOSTS, OF_HOSTS } from './variables.ts';

const rate = (metric: string): string => `rate(${metric}{${OF_HOSTS}}[$__rate_interval])`;
const increase = (metric: string, by: string): string =>
  `sum by (${by}) (increase(dom0_director_${metric}{${OF_HOSTS}}[$__rate_interval]))`;

export const director: Dashboard = {
  uid: 'dom0-director-daemon',
  title: 'Dom0 Director: the director itself',
  description: 'Whether the director can do its work: kernel, journal, repairs, and its own process.',
  from: 'now-6h',
  variables: HOSTS,
  rows: [
    {
      title: 'Fit for work',
      panels: [
        {
          title: 'Ready',
          description: '1 when the kernel holds what it should and switches are possible.',
          kind: 'stat',
          unit: 'short',
          width: 6,
          words: { 0: { text: 'not ready', color: 'red' }, 1: { text: 'ready', color: 'green' } },
          queries: [{ expr: `dom0_director_ready{${OF_HOSTS}}`, legend: '{{instance}}' }],
        },
        {
          title: 'Journal',
          description: 'Whether the disk took what was last written.',
          kind: 'stat',
          unit: 'short',
          width: 6,
          words: { 0: { text: 'not writable', color: 'red' }, 1: { text: 'writable', color: 'green' } },
          queries: [{ expr: `dom0_director_journal_writable{${OF_HOSTS}}`, legend: '{{instance}}' }],
        },
        {
          title: 'Kernel last found right',
          description:
            'Time since the kernel was found, or made, what it should be; looked at every 10 s at least.',
          kind: 'stat',
          unit: 's',
          width: 6,
          thresholds: [
            { from: 45, color: 'yellow' },
            { from: 90, color: 'red' },
          ],
          queries: [
            {
              expr: `time() - dom0_director_reconcile_last_success_timestamp_seconds{${OF_HOSTS}}`,
              legend: '{{instance}}',
            },
          ],
        },
        {
          title: 'Version',
          description: 'What is running where.',
          kind: 'stat',
          unit: 'short',
          width: 6,
          queries: [
            { expr: `dom0_director_build_info{${OF_HOSTS}}`, legend: '{{version}} on Node {{node}}' },
          ],
        },
      ],
    },
    {
      title: 'Switches',
      panels: [
        {
          title: 'Switches by outcome',
          description: 'Each switch counts once as trial and once as how it ended.',
          kind: 'timeseries',
          unit: 'short',
          width: 8,
          queries: [{ expr: increase('switches_total', 'outcome'), legend: '{{outcome}}' }],
        },
        {
          title: 'Rollbacks by cause',
          description:
            'asked: somebody did; deadline: nobody confirmed; failure: it was refused; recovery: found at a start.',
          kind: 'timeseries',
          unit: 'short',
          width: 8,
          queries: [{ expr: increase('rollbacks_total', 'cause'), legend: '{{cause}}' }],
        },
        {
          title: 'Holds',
          description: 'Holds that somebody asked for, and those for the time of a switch.',
          kind: 'timeseries',
          unit: 'short',
          width: 8,
          queries: [{ expr: increase('holds_total', 'cause'), legend: '{{cause}}' }],
        },
        {
          title: 'Time of a flip',
          description:
            "From sending the one message that moves everybody to the kernel's answer, over a day: median and 95 of 100.",
          kind: 'timeseries',
          unit: 's',
          width: 12,
          queries: [0.5, 0.95].map((quantile) => ({
            expr: `histogram_quantile(${quantile}, sum by (le) (increase(dom0_director_switch_flip_seconds_bucket{${OF_HOSTS}}[1d])))`,
            legend: `${quantile * 100} of 100`,
          })),
        },
        {
          title: 'What the journal is about',
          description: 'Entries by kind.',
          kind: 'timeseries',
          unit: 'short',
          width: 12,
          queries: [{ expr: increase('journal_entries_total', 'kind'), legend: '{{kind}}' }],
        },
      ],
    },
    {
      title: 'The kernel',
      panels: [
        {
          title: 'Repairs by kind',
          description:
            'Operations that put back what somebody else had changed. Again and again: find out who.',
          kind: 'timeseries',
          unit: 'short',
          width: 12,
          queries: [{ expr: increase('repairs_total', 'kind'), legend: '{{kind}}' }],
        },
        {
          title: 'Time of a reconcile',
          description: 'Observe, plan, apply, and look again: median and 95 of 100.',
          kind: 'timeseries',
          unit: 's',
          width: 12,
          queries: [0.5, 0.95].map((quantile) => ({
            expr: `histogram_quantile(${quantile}, sum by (le) (increase(dom0_director_reconcile_seconds_bucket{${OF_HOSTS}}[1d])))`,
            legend: `${quantile * 100} of 100`,
          })),
        },
        {
          title: 'Refused by the kernel',
          description: 'Reconciles that failed, and scrapes without the services series.',
          kind: 'timeseries',
          unit: 'short',
          width: 12,
          queries: [
            { expr: increase('reconcile_errors_total', 'instance'), legend: 'reconciles' },
            { expr: increase('snapshot_errors_total', 'instance'), legend: 'scrapes' },
          ],
        },
        {
          title: 'Connection tracking',
          description:
            'Part of the conntrack table that is used. When it is full, new connections are dropped.',
          kind: 'timeseries',
          unit: 'percentunit',
          width: 12,
          thresholds: [{ from: 0.8, color: 'red' }],
          queries: [
            {
              expr: `dom0_director_conntrack_entries{${OF_HOSTS}} / dom0_director_conntrack_entries_limit{${OF_HOSTS}}`,
              legend: '{{instance}}',
            },
          ],
        },
      ],
    },
    {
      title: 'The process',
      panels: [
        {
          title: 'CPU',
          description: 'Cores that the process takes.',
          kind: 'timeseries',
          unit: 'percentunit',
          width: 8,
          queries: [{ expr: rate('process_cpu_seconds_total'), legend: '{{instance}}' }],
        },
        {
          title: 'Memory',
          description: 'Resident memory of the process, in bytes.',
          kind: 'timeseries',
          unit: 'bytes',
          width: 8,
          queries: [{ expr: `process_resident_memory_bytes{${OF_HOSTS}}`, legend: '{{instance}}' }],
        },
        {
          title: 'Event loop',
          description: 'How late the event loop was at the scrape: so long a switch would have waited.',
          kind: 'timeseries',
          unit: 's',
          width: 8,
          queries: [{ expr: `nodejs_eventloop_lag_seconds{${OF_HOSTS}}`, legend: '{{instance}}' }],
        },
      ],
    },
  ],
};

import type { Dashboard, Mark } from './grafana.ts';
import { ONE_SERVICE, OF_SERVICES as MINE } from './variables.ts';

/** Prometheus has no journal: a gauge holds the time of the last of each kind, and the graph is marked at that time. */
const mark = (kind: string, name: string, color: string): Mark => ({
  name,
  color,
  expr: `dom0_director_service_event_timestamp_seconds{${MINE},kind="${kind}"} * 1000`,
});

const byDomu = (metric: string): string =>
  `sum by (domu) (rate(dom0_director_${metric}{${MINE}}[$__rate_interval]))`;

export const service: Dashboard = {
  uid: 'dom0-director-service',
  title: 'Dom0 Director: one service and its cutover',
  description: 'Who gets the connections of one service, before, during and after a switch.',
  from: 'now-1h',
  variables: ONE_SERVICE,
  marks: [
    mark('switch', 'switched', 'blue'),
    mark('confirm', 'confirmed', 'green'),
    mark('rollback', 'rolled back', 'orange'),
    mark('expire', 'expired', 'red'),
    mark('fail', 'failed', 'red'),
    mark('hold', 'held', 'purple'),
    mark('release', 'released', 'purple'),
    mark('drained', 'old ones cut', 'yellow'),
  ],
  rows: [
    {
      title: 'State',
      panels: [
        {
          title: 'Live',
          description: 'The role whose DomU takes new connections of everybody.',
          kind: 'stat',
          unit: 'short',
          width: 5,
          words: {
            0: { text: 'primary', color: 'green' },
            1: { text: 'secondary, on trial', color: 'yellow' },
          },
          queries: [{ expr: `dom0_director_service_live{${MINE},role="secondary"}`, legend: 'live' }],
        },
        {
          title: 'Trial ends in',
          description:
            'Time until the trial rolls itself back. No data: no trial, or one without a deadline.',
          kind: 'stat',
          unit: 's',
          width: 5,
          queries: [{ expr: `dom0_director_trial_deadline_seconds{${MINE}} - time()`, legend: 'left' }],
        },
        {
          title: 'Testing',
          description: 'Whether testers are directed to the secondary.',
          kind: 'stat',
          unit: 'short',
          width: 4,
          words: { 0: { text: 'closed', color: 'blue' }, 1: { text: 'open', color: 'green' } },
          queries: [{ expr: `dom0_director_service_testing_open{${MINE}}`, legend: 'testing' }],
        },
        {
          title: 'Longest-standing tester',
          description: 'For how long somebody has been a tester. Weeks: perhaps forgotten.',
          kind: 'stat',
          unit: 's',
          width: 5,
          thresholds: [{ from: 21 * 86_400, color: 'yellow' }],
          queries: [
            { expr: `time() - dom0_director_oldest_tester_timestamp_seconds{${MINE}}`, legend: 'for' },
          ],
        },
        {
          title: 'Misdirected',
          description:
            'Connections of customers that reached the dark DomU since the director started. Must be 0.',
          kind: 'stat',
          unit: 'short',
          width: 5,
          thresholds: [{ from: 1, color: 'red' }],
          queries: [{ expr: `dom0_director_misdirected_connections_total{${MINE}}`, legend: 'misdirected' }],
        },
        {
          title: 'Health',
          description: 'Whether each DomU answers the probes of the director.',
          kind: 'state-timeline',
          unit: 'short',
          width: 24,
          words: { 0: { text: 'does not answer', color: 'red' }, 1: { text: 'answers', color: 'green' } },
          queries: [{ expr: `max by (domu) (dom0_director_domu_healthy{${MINE}})`, legend: '{{domu}}' }],
        },
      ],
    },
    {
      title: 'The cutover',
      panels: [
        {
          title: 'New connections, by DomU',
          description:
            'Connections a second that were directed to each DomU. At a switch one falls to what testers do, the other rises.',
          kind: 'timeseries',
          unit: 'cps',
          width: 24,
          stack: true,
          queries: [{ expr: byDomu('connections_total'), legend: '{{domu}}' }],
        },
        {
          title: 'Open connections, by DomU',
          description:
            'Conntrack entries on each DomU. After a switch that drains, those of the old one end one after another.',
          kind: 'timeseries',
          unit: 'short',
          width: 12,
          queries: [{ expr: `sum by (domu) (dom0_director_flows{${MINE}})`, legend: '{{domu}}' }],
        },
        {
          title: 'Still on the dark DomU',
          description:
            'Connections from before the switch that have not ended. No data while testers are directed there.',
          kind: 'timeseries',
          unit: 'short',
          width: 12,
          queries: [{ expr: `dom0_director_draining_flows{${MINE}}`, legend: '{{domu}}' }],
        },
        {
          title: 'Resets, by DomU',
          description:
            'TCP resets a second that each DomU sends. A cut shows here: the new DomU refuses what it does not know.',
          kind: 'timeseries',
          unit: 'pps',
          width: 12,
          queries: [{ expr: byDomu('resets_total'), legend: '{{domu}}' }],
        },
        {
          title: 'Refused at the dark DomU',
          description:
            "Packets a second to a dark DomU's own addresses that were refused: somebody tries to reach it without being a tester.",
          kind: 'timeseries',
          unit: 'pps',
          width: 12,
          queries: [{ expr: byDomu('dark_refused_packets_total'), legend: '{{domu}}' }],
        },
        {
          title: 'Bytes to and from each DomU',
          description: 'Bytes a second that were forwarded.',
          kind: 'timeseries',
          unit: 'Bps',
          width: 12,
          queries: [
            {
              expr: `sum by (domu, direction) (rate(dom0_director_bytes_total{${MINE}}[$__rate_interval]))`,
              legend: '{{domu}} {{direction}}',
            },
          ],
        },
        {
          title: 'Packets to and from each DomU',
          description: 'Packets a second that were forwarded.',
          kind: 'timeseries',
          unit: 'pps',
          width: 12,
          queries: [
            {
              expr: `sum by (domu, direction) (rate(dom0_director_packets_total{${MINE}}[$__rate_interval]))`,
              legend: '{{domu}} {{direction}}',
            },
          ],
        },
      ],
    },
  ],
};

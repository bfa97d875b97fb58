import type { Dashboard } from './grafana.ts';
import { OF_SERVICES, SERVICES } from './variables.ts';

const NONE_YET = { from: 1, color: 'red' } as const;

export const fleet: Dashboard = {
  uid: 'dom0-director-fleet',
  title: 'Dom0 Director: services',
  description: 'All services of all Dom0s: what is live, on trial, unwell, and how busy it is.',
  from: 'now-6h',
  variables: SERVICES,
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Services',
          description: 'Services that the chosen Dom0s direct.',
          kind: 'stat',
          unit: 'short',
          width: 4,
          queries: [{ expr: `count(dom0_director_service_trial{${OF_SERVICES}})`, legend: 'services' }],
        },
        {
          title: 'On trial',
          description: 'Services that were switched and that nobody has confirmed yet.',
          kind: 'stat',
          unit: 'short',
          width: 4,
          thresholds: [{ from: 1, color: 'yellow' }],
          queries: [{ expr: `sum(dom0_director_service_trial{${OF_SERVICES}})`, legend: 'on trial' }],
        },
        {
          title: 'Held',
          description: 'Services whose packets are being dropped by a hold.',
          kind: 'stat',
          unit: 'short',
          width: 4,
          thresholds: [{ from: 1, color: 'orange' }],
          queries: [{ expr: `sum(dom0_director_service_held{${OF_SERVICES}})`, legend: 'held' }],
        },
        {
          title: 'DomUs that do not answer',
          description: 'DomUs of which no probed port answers, live or dark.',
          kind: 'stat',
          unit: 'short',
          width: 4,
          thresholds: [NONE_YET],
          queries: [{ expr: `sum(1 - dom0_director_domu_healthy{${OF_SERVICES}})`, legend: 'unwell' }],
        },
        {
          title: 'Misdirected in 24 hours',
          description: 'Connections of customers that reached a dark DomU. Must be 0.',
          kind: 'stat',
          unit: 'short',
          width: 4,
          thresholds: [NONE_YET],
          queries: [
            {
              expr: `sum(increase(dom0_director_misdirected_connections_total{${OF_SERVICES}}[24h]))`,
              legend: 'misdirected',
            },
          ],
        },
        {
          title: 'Testers',
          description: 'Enrolled addresses and networks of all services, permanent and leased.',
          kind: 'stat',
          unit: 'short',
          width: 4,
          queries: [{ expr: `sum(dom0_director_testers{${OF_SERVICES}})`, legend: 'testers' }],
        },
        {
          title: 'Which role is live',
          description: 'Of each service: primary in quiet times, secondary during a trial.',
          kind: 'state-timeline',
          unit: 'short',
          width: 24,
          words: { 0: { text: 'primary', color: 'green' }, 1: { text: 'on trial', color: 'yellow' } },
          queries: [{ expr: `dom0_director_service_trial{${OF_SERVICES}}`, legend: '{{service}}' }],
        },
      ],
    },
    {
      title: 'Traffic',
      panels: [
        {
          title: 'New connections',
          description:
            'Connections a second that were directed, by service: each counted once by the kernel.',
          kind: 'timeseries',
          unit: 'cps',
          width: 12,
          queries: [
            {
              expr: `sum by (instance, service) (rate(dom0_director_connections_total{${OF_SERVICES}}[$__rate_interval]))`,
              legend: '{{service}}',
            },
          ],
        },
        {
          title: 'Open connections',
          description: 'Conntrack entries of each service on both DomUs.',
          kind: 'timeseries',
          unit: 'short',
          width: 12,
          queries: [
            {
              expr: `sum by (instance, service) (dom0_director_flows{${OF_SERVICES}})`,
              legend: '{{service}}',
            },
          ],
        },
        {
          title: 'Bytes',
          description: 'Bytes a second that were forwarded for each service, both directions.',
          kind: 'timeseries',
          unit: 'Bps',
          width: 12,
          queries: [
            {
              expr: `sum by (instance, service) (rate(dom0_director_bytes_total{${OF_SERVICES}}[$__rate_interval]))`,
              legend: '{{service}}',
            },
          ],
        },
        {
          title: 'Resets by DomUs',
          description:
            'TCP resets a second that DomUs send: refused connections, and ones that were cut by a switch.',
          kind: 'timeseries',
          unit: 'pps',
          width: 12,
          queries: [
            {
              expr: `sum by (instance, service) (rate(dom0_director_resets_total{${OF_SERVICES}}[$__rate_interval]))`,
              legend: '{{service}}',
            },
          ],
        },
      ],
    },
  ],
};

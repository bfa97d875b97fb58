import { DOMAIN_STATES } from '../model/records.ts';
import { otherRole } from '../model/state.ts';
import type { DomuMetrics, MetricsSnapshot, ServiceMetrics } from './snapshot.ts';
import { NAME, labelText, labelsOnce } from './text-format.ts';
import type { Family, Sample } from './text-format.ts';

/** What is known of the services at one moment; each sample is made when it is asked for. */
export function* serviceFamilies({ services }: MetricsSnapshot): Generator<Family> {
  for (const { name, type = 'gauge', help, sample } of SERVICE) {
    yield { name: NAME + name, type, help, samples: each(services, sample) };
  }
  const rows = new Map(services.flatMap(({ name, domus }) => domus.map((row) => [row, name])));
  const labels = labelsOnce((row: DomuMetrics) => ({
    service: rows.get(row) ?? '',
    role: row.role,
    domu: row.domu,
  }));
  for (const { name, type, help, sample } of DOMU) {
    const samples = each(services, ({ domus }) => domus.flatMap((row) => sample(row, labels(row))));
    yield { name: NAME + name, type, help, samples };
  }
}

function* each(
  services: readonly ServiceMetrics[],
  sample: (service: ServiceMetrics) => Sample[],
): Generator<Sample> {
  for (const service of services) yield* sample(service);
}

/** Absent where there is no value. */
const one = (value: (service: ServiceMetrics) => number | null) => (service: ServiceMetrics) => {
  const found = value(service);
  return found === null ? [] : [{ labels: labelText({ service: service.name }), value: found }];
};

const seconds = (at: number | null): number | null => (at === null ? null : at / 1000);

const SERVICE: readonly {
  readonly name: string;
  readonly type?: Family['type'];
  readonly help: string;
  readonly sample: (service: ServiceMetrics) => Sample[];
}[] = [
  {
    name: 'service_live',
    help: '1 for the role whose DomU takes new connections of everybody, 0 for the other.',
    sample: liveSamples,
  },
  {
    name: 'service_trial',
    help: '1 between a switch and its confirm, rollback or deadline.',
    sample: one((service) => Number(service.trial)),
  },
  {
    name: 'trial_deadline_seconds',
    help: 'Unix time at which the trial rolls itself back; only while there is one that does.',
    sample: one(({ trial, trialDeadline }) => (trial ? seconds(trialDeadline) : null)),
  },
  {
    name: 'service_testing_open',
    help: '1 when testers are directed to the secondary.',
    sample: one((service) => Number(service.testing)),
  },
  {
    name: 'service_held',
    help: "1 while the service's packets are held (dropped, to be sent again).",
    sample: one((service) => Number(service.held)),
  },
  {
    name: 'testers',
    help: 'Addresses and networks that are enrolled as testers, permanent and leased.',
    sample: one((service) => service.testers),
  },
  {
    name: 'oldest_tester_timestamp_seconds',
    help: 'Unix time since which the longest-standing tester has been one, permanent or leased, as far as the store remembers.',
    sample: one(({ oldestTester }) => seconds(oldestTester)),
  },
  {
    name: 'misdirected_connections_total',
    type: 'counter',
    help: 'Connections of customers that reached the dark DomU through the service address, counted from the look that follows the answer of a flip: gains of the counter of directed connections while nobody is directed there, else open connections there whose source is no tester. Should stay 0.',
    sample: one((service) => service.misdirected),
  },
  {
    name: 'draining_flows',
    help: 'Conntrack entries on the DomU that is dark now, which nobody new is directed to: connections from before the switch. Absent while testers are directed to it.',
    sample: drainingSamples,
  },
  {
    name: 'drain_deadline_timestamp_seconds',
    help: 'Unix time at which connections on the DomU that is dark now are cut; absent where they may stay.',
    sample: one(({ drainUntil }) => seconds(drainUntil)),
  },
  {
    name: 'service_event_timestamp_seconds',
    help: 'Unix time at which this kind of thing happened last to the service, by the journal; absent for what has not since the start.',
    sample: markedSamples,
  },
];

const DOMU: readonly {
  readonly name: string;
  readonly type: Family['type'];
  readonly help: string;
  readonly sample: (row: DomuMetrics, labels: string) => Sample[];
}[] = [
  {
    name: 'flows',
    type: 'gauge',
    help: "Conntrack entries whose mark says that they were directed to this DomU; role is the DomU's role now.",
    sample: ({ flows }, labels) => [{ labels, value: flows }],
  },
  {
    name: 'domu_healthy',
    type: 'gauge',
    help: '1 when a probed TCP port of the service accepted, 0 when none did; absent while it is not known, or not probed.',
    sample: ({ healthy }, labels) => (healthy === null ? [] : [{ labels, value: Number(healthy) }]),
  },
  {
    name: 'domu_state',
    type: 'gauge',
    help: '1 for the state that Xen says the DomU is in (absent: it has no such domain), 0 for the others; no sample where the host has no Xen, or it does not answer.',
    sample: stateSamples,
  },
  {
    name: 'domu_domain_id',
    type: 'gauge',
    help: "Xen's number of the DomU's domain, another one after each start; absent where it has no domain.",
    sample: ({ domain }, labels) =>
      domain === null || domain.domid === null || domain.state === 'unknown'
        ? []
        : [{ labels, value: domain.domid }],
  },
  {
    name: 'packets_total',
    type: 'counter',
    help: 'Packets forwarded to (in) and from (out) the DomU, by the counters of an ipset.',
    sample: (row, labels) => trafficSamples(row, labels, 'packets'),
  },
  {
    name: 'bytes_total',
    type: 'counter',
    help: 'Bytes of IP packets forwarded to (in) and from (out) the DomU, by the counters of an ipset.',
    sample: (row, labels) => trafficSamples(row, labels, 'bytes'),
  },
  {
    name: 'connections_total',
    type: 'counter',
    help: 'Connections that were directed to the DomU: first packets only, which alone pass the nat table, by the counters of an ipset in POSTROUTING. One that was cut counts again when it goes on.',
    sample: ({ opened }, labels) => countSamples(opened, labels),
  },
  {
    name: 'resets_total',
    type: 'counter',
    help: 'Forwarded TCP segments with RST that the DomU has sent (refused connections, and ones that were cut), by the counters of an ipset.',
    sample: ({ resets }, labels) => countSamples(resets, labels),
  },
  {
    name: 'dark_refused_packets_total',
    type: 'counter',
    help: "Packets to the DomU's own addresses that were refused because it is dark, by the counters of an ipset.",
    sample: ({ refused }, labels) => countSamples(refused, labels),
  },
];

function liveSamples({ name, live }: ServiceMetrics): Sample[] {
  return [live, otherRole(live)].map((role) => ({
    labels: labelText({ service: name, role }),
    value: Number(role === live),
  }));
}

function stateSamples({ domain }: DomuMetrics, labels: string): Sample[] {
  if (domain === null || domain.state === 'unknown') return [];
  return DOMAIN_STATES.map((state) => ({
    labels: `${labels},state="${state}"`,
    value: Number(state === domain.state),
  }));
}

function drainingSamples({ name, draining }: ServiceMetrics): Sample[] {
  if (draining === null) return [];
  return [{ labels: labelText({ service: name, domu: draining.domu }), value: draining.flows }];
}

function markedSamples({ name, marked }: ServiceMetrics): Sample[] {
  return [...marked].map(([kind, at]) => ({ labels: labelText({ service: name, kind }), value: at / 1000 }));
}

function countSamples(value: number | null, labels: string): Sample[] {
  return value === null ? [] : [{ labels, value }];
}

function trafficSamples(row: DomuMetrics, labels: string, unit: 'packets' | 'bytes'): Sample[] {
  return (['in', 'out'] as const).flatMap((direction) => {
    const traffic = row[direction];
    return traffic === null ? [] : [{ labels: `${labels},direction="${direction}"`, value: traffic[unit] }];
  });
}

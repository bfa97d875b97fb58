import { otherRole } from '../model/state.ts';
import type { DomuMetrics, MetricsSnapshot, ServiceMetrics } from './snapshot.ts';
import { labelText } from './text-format.ts';
import type { Family, Sample } from './text-format.ts';

const NAME = 'dom0_director_';

/** What is known of the services at one moment, as metrics; each family is made when it is asked for. */
export function* serviceFamilies({ ready, services }: MetricsSnapshot): Generator<Family> {
  const help = '1 when the kernel holds what it should and switches are possible, as GET /readyz says.';
  yield { name: `${NAME}ready`, type: 'gauge', help, samples: [{ labels: '', value: Number(ready) }] };
  for (const { name, help, sample } of STATE) {
    yield { name: NAME + name, type: 'gauge', help, samples: services.flatMap(sample) };
  }
  const rows = services.flatMap(({ name, domus }) =>
    domus.map((row) => ({ row, labels: labelText({ service: name, role: row.role, domu: row.domu }) })),
  );
  for (const { name, type, help, sample } of DOMU) {
    yield { name: NAME + name, type, help, samples: rows.flatMap(({ row, labels }) => sample(row, labels)) };
  }
}

const one = (value: (service: ServiceMetrics) => number) => (service: ServiceMetrics) => [
  { labels: labelText({ service: service.name }), value: value(service) },
];

const STATE: readonly {
  readonly name: string;
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
    sample: deadlineSamples,
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
    help: '1 when every probed TCP port of the service accepted, 0 when one did not; absent while it is not known.',
    sample: ({ healthy }, labels) => (healthy === null ? [] : [{ labels, value: Number(healthy) }]),
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
];

function liveSamples({ name, live }: ServiceMetrics): Sample[] {
  return [live, otherRole(live)].map((role) => ({
    labels: labelText({ service: name, role }),
    value: Number(role === live),
  }));
}

function deadlineSamples({ name, trial, trialDeadline }: ServiceMetrics): Sample[] {
  return trial && trialDeadline !== null
    ? [{ labels: labelText({ service: name }), value: trialDeadline / 1000 }]
    : [];
}

function trafficSamples(row: DomuMetrics, labels: string, unit: 'packets' | 'bytes'): Sample[] {
  return (['in', 'out'] as const).flatMap((direction) => {
    const traffic = row[direction];
    return traffic === null ? [] : [{ labels: `${labels},direction="${direction}"`, value: traffic[unit] }];
  });
}

import { DOMAIN_STATES } from '../model/records.ts';
import { otherRole } from '../model/state.ts';
import type { Role } from '../model/state.ts';
import type { DomuMetrics, ServiceMetrics } from './snapshot.ts';
import { Kept, NAME, familyOf, labelText } from './text-format.ts';
import type { Family, Put } from './text-format.ts';

/** A service with its labels, and those of its DomUs. */
export interface LabelledService {
  readonly service: ServiceMetrics;
  readonly labels: string;
  readonly domus: readonly LabelledDomu[];
}

interface LabelledDomu {
  readonly row: DomuMetrics;
  readonly labels: string;
}

/** The texts of a service's labels, and of its DomUs' as they stand in it. */
interface Texts {
  readonly labels: string;
  readonly domus: readonly { readonly name: string; readonly role: Role; readonly labels: string }[];
}

const textsOf = ({ name, domus }: ServiceMetrics): Texts => ({
  labels: labelText({ service: name }),
  domus: domus.map(({ domu, role }) => ({
    name: domu,
    role,
    labels: labelText({ service: name, role, domu }),
  })),
});

const areTextsOf = ({ domus }: Texts, service: ServiceMetrics): boolean =>
  domus.length === service.domus.length &&
  service.domus.every(({ domu, role }, at) => domus[at]?.name === domu && domus[at].role === role);

/** Labels of services and DomUs, which are the same at each scrape. */
export class ServiceLabels {
  readonly #texts = new Kept<ServiceMetrics, Texts>(({ name }) => name, textsOf, areTextsOf);

  of(service: ServiceMetrics): LabelledService {
    const { labels, domus } = this.#texts.of(service);
    return {
      service,
      labels,
      domus: service.domus.map((row, at) => ({ row, labels: domus[at]?.labels ?? '' })),
    };
  }

  /** Forgets those of services that were not asked for since the last time. */
  sweep(): void {
    this.#texts.sweep();
  }
}

/** What is known of the services at one moment; each sample is made when it is asked for. */
export function* serviceFamilies(services: readonly LabelledService[]): Generator<Family> {
  for (const { name, type = 'gauge', help, sample } of SERVICE) {
    yield familyOf({ name: NAME + name, type, help }, services, sample);
  }
  for (const { name, type, help, sample } of DOMU) {
    yield familyOf({ name: NAME + name, type, help }, services, ({ domus }, put) => {
      for (const domu of domus) sample(domu, put);
    });
  }
}

/** Absent where there is no value. */
const one =
  (value: (service: ServiceMetrics) => number | null) =>
  ({ service, labels }: LabelledService, put: Put): void => {
    const found = value(service);
    if (found !== null) put(labels, found);
  };

/** The same for a DomU. */
const counted =
  (value: (row: DomuMetrics) => number | null) =>
  ({ row, labels }: LabelledDomu, put: Put): void => {
    const found = value(row);
    if (found !== null) put(labels, found);
  };

const seconds = (at: number | null): number | null => (at === null ? null : at / 1000);

const SERVICE: readonly {
  readonly name: string;
  readonly type?: Family['type'];
  readonly help: string;
  readonly sample: (service: LabelledService, put: Put) => void;
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
  readonly sample: (domu: LabelledDomu, put: Put) => void;
}[] = [
  {
    name: 'flows',
    type: 'gauge',
    help: "Conntrack entries whose mark says that they were directed to this DomU; role is the DomU's role now.",
    sample: ({ row, labels }, put) => put(labels, row.flows),
  },
  {
    name: 'domu_healthy',
    type: 'gauge',
    help: '1 when a probed TCP port of the service accepted, 0 when none did; absent while it is not known, or not probed.',
    sample: ({ row: { healthy }, labels }, put) => {
      if (healthy !== null) put(labels, Number(healthy));
    },
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
    sample: ({ row: { domain }, labels }, put) => {
      if (domain !== null && domain.domid !== null && domain.state !== 'unknown') put(labels, domain.domid);
    },
  },
  {
    name: 'packets_total',
    type: 'counter',
    help: 'Packets forwarded to (in) and from (out) the DomU, by the counters of an ipset.',
    sample: (domu, put) => trafficSamples(domu, put, 'packets'),
  },
  {
    name: 'bytes_total',
    type: 'counter',
    help: 'Bytes of IP packets forwarded to (in) and from (out) the DomU, by the counters of an ipset.',
    sample: (domu, put) => trafficSamples(domu, put, 'bytes'),
  },
  {
    name: 'connections_total',
    type: 'counter',
    help: 'Connections that were directed to the DomU: first packets only, which alone pass the nat table, by the counters of an ipset in POSTROUTING. One that was cut counts again when it goes on.',
    sample: counted(({ opened }) => opened),
  },
  {
    name: 'resets_total',
    type: 'counter',
    help: 'Forwarded TCP segments with RST that the DomU has sent (refused connections, and ones that were cut), by the counters of an ipset.',
    sample: counted(({ resets }) => resets),
  },
  {
    name: 'dark_refused_packets_total',
    type: 'counter',
    help: "Packets to the DomU's own addresses that were refused because it is dark, by the counters of an ipset.",
    sample: counted(({ refused }) => refused),
  },
];

function liveSamples({ service: { live }, labels }: LabelledService, put: Put): void {
  put(`${labels},role="${live}"`, 1);
  put(`${labels},role="${otherRole(live)}"`, 0);
}

function stateSamples({ row: { domain }, labels }: LabelledDomu, put: Put): void {
  if (domain === null || domain.state === 'unknown') return;
  for (const state of DOMAIN_STATES) put(`${labels},state="${state}"`, Number(state === domain.state));
}

function drainingSamples({ service: { draining }, labels }: LabelledService, put: Put): void {
  if (draining !== null) put(`${labels},${labelText({ domu: draining.domu })}`, draining.flows);
}

function markedSamples({ service: { marked }, labels }: LabelledService, put: Put): void {
  for (const [kind, at] of marked) put(`${labels},kind="${kind}"`, at / 1000);
}

function trafficSamples({ row, labels }: LabelledDomu, put: Put, unit: 'packets' | 'bytes'): void {
  if (row.in !== null) put(`${labels},direction="in"`, row.in[unit]);
  if (row.out !== null) put(`${labels},direction="out"`, row.out[unit]);
}

import type { MetricsSnapshot } from './snapshot.ts';
import { NAME } from './text-format.ts';
import type { Family } from './text-format.ts';

/** What is known of the daemon and its host at one moment. */
export function hostFamilies({ ready, writable, conntrack, xenAnswers }: MetricsSnapshot): Family[] {
  return [
    gauge(
      'ready',
      '1 when the kernel holds what it should and switches are possible, as GET /readyz says.',
      +ready,
    ),
    gauge(
      'journal_writable',
      '1 when the last write to the store reached the disk. There is one with every change, and one every 10 s to try.',
      +writable,
    ),
    gauge(
      'conntrack_entries',
      "Entries of this network namespace's connection tracking, ours or not: /proc/sys/net/netfilter/nf_conntrack_count.",
      conntrack?.entries,
    ),
    gauge(
      'conntrack_entries_limit',
      'Entries at which the kernel drops new connections: /proc/sys/net/netfilter/nf_conntrack_max.',
      conntrack?.limit,
    ),
    gauge(
      'xen_answers',
      '1 when Xen told how the DomUs are when it was asked last; absent where the host has no Xen.',
      xenAnswers === null ? undefined : +xenAnswers,
    ),
  ];
}

function gauge(name: string, help: string, value: number | undefined): Family {
  const samples = value === undefined ? [] : [{ labels: '', value }];
  return { name: NAME + name, type: 'gauge', help, samples };
}

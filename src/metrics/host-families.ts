import { GRADES } from '../doctor/finding.ts';
import type { MetricsSnapshot } from './snapshot.ts';
import { familyWith, labelText, NAME } from './text-format.ts';
import type { Family } from './text-format.ts';

/** What is known of the daemon and its host at one moment. */
export function hostFamilies({ ready, writable, conntrack, xenAnswers, doctor }: MetricsSnapshot): Family[] {
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
    doctorFamily(doctor),
  ];
}

/** A check that found nothing of a grade has a zero there, so that a series does not end where a fault is mended. */
function doctorFamily(findings: MetricsSnapshot['doctor']): Family {
  const counts = new Map<string, number>();
  for (const { check, grade } of findings ?? [])
    for (const each of GRADES) {
      const labels = labelText({ check, grade: each });
      counts.set(labels, (counts.get(labels) ?? 0) + +(each === grade));
    }
  const head = {
    name: `${NAME}doctor_findings`,
    type: 'gauge',
    help: 'What "director doctor" finds of this host, by check and grade (ok, warning, unknown: could not be looked at, fault); looked at 10 seconds after the director has started, and every 10 minutes. Its other checks (node, parts, meter) are only for the command.',
  } as const;
  return familyWith(
    head,
    [...counts].map(([labels, value]) => ({ labels, value })),
  );
}

function gauge(name: string, help: string, value: number | undefined): Family {
  const samples = value === undefined ? [] : [{ labels: '', value }];
  return familyWith({ name: NAME + name, type: 'gauge', help }, samples);
}

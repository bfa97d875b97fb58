import type { DomainReport, HealthReport } from '../model/records.ts';
import type { Domu, Service } from '../model/service.ts';
import type { Context } from './context.ts';

/** A Xen that does not answer keeps no switch waiting for longer; milliseconds. */
const PATIENCE_MS = 2000;

/** What is known of a DomU's health without looking: what its ports say, unless Xen knows that it cannot answer. */
export function healthOf(context: Context, service: string, domu: string): HealthReport {
  return judged(context, service, domu, context.health.report(service, domu));
}

/** The same, looked at now. */
export async function healthNow(context: Context, service: Service, domu: Domu): Promise<HealthReport> {
  const { guests, health } = context;
  const [report] = await Promise.all([health.probeNow(service, domu), guests.lookWithin(PATIENCE_MS)]);
  // Whoever has answered just now is there, whatever it is called.
  if (report.status === 'healthy' || report.status === 'degraded') return report;
  return judged(context, service.name, domu.name, report);
}

function judged({ guests }: Context, service: string, domu: string, report: HealthReport): HealthReport {
  const domain = guests.report(service, domu);
  if (domain === null || domain.state === 'running' || domain.state === 'unknown') return report;
  // A DomU that answers, of whose name there never was a domain, is called otherwise: see `domain` in its definition.
  const answers = report.status === 'healthy' || report.status === 'degraded';
  if (domain.state === 'absent' && answers && !guests.wasThere(service, domu)) return report;
  return { status: 'unhealthy', reason: reasonOf(domain), since: domain.since };
}

function reasonOf({ name, state, domid }: DomainReport): string {
  const which = `domain ${name}${domid === null ? '' : ` (${domid})`}`;
  switch (state) {
    case 'absent':
      return `Xen has no domain ${name}`;
    case 'paused':
      return `${which} is paused`;
    case 'crashed':
      return `${which} has crashed`;
    case 'shutdown':
      return `${which} has shut down`;
    case 'running':
    case 'unknown':
      return `${which} is ${state}`;
    default:
      return state satisfies never;
  }
}

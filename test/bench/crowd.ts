import { serviceAddress } from './numbering.ts';
import type { Place } from './place.ts';
import { work } from './works.ts';

const TIMEOUT = 'net.netfilter.nf_conntrack_tcp_timeout_time_wait';
/** As long as the kernel has it where nobody says otherwise; seconds. */
const USUAL = 120;

/** So many connections that stay in conntrack for a while after their end. Answers how many entries there are. */
export async function crowd(place: Place, flows: number): Promise<number> {
  await place.must('dom0', ['sysctl', '-qw', `${TIMEOUT}=${USUAL}`]);
  await work(place, 'connections', flows, serviceAddress(0));
  return Number(await place.must('dom0', ['sysctl', '-n', 'net.netfilter.nf_conntrack_count']));
}

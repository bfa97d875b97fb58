import type { DomuView, ServiceView } from '../../api/contract.ts';
import type { Drift } from './drift.ts';
import { clock, gistOfReason, plural } from './words.ts';

export type Level = 'bad' | 'trial' | 'warn' | 'good' | 'quiet';

export interface Attention {
  /** Lower comes first. */
  readonly rank: number;
  readonly level: Level;
  /** One or two words. */
  readonly word: string;
  /** Why, in a few more; null where the word says it all. */
  readonly why: string | null;
}

export const liveDomu = (service: ServiceView): DomuView => service[service.live];
export const darkDomu = (service: ServiceView): DomuView =>
  service.live === 'primary' ? service.secondary : service.primary;

/** What a sysadmin at night has to know of a service first. `drift`: undefined where there was none. */
export function attentionOf(service: ServiceView, drift: Drift | undefined): Attention {
  const [live, dark] = [liveDomu(service), darkDomu(service)];
  if (live.health === 'unhealthy')
    return {
      rank: 0,
      level: 'bad',
      word: 'Live is down',
      why: reasonOf(live),
    };
  if (service.phase === 'trial')
    return { rank: 1, level: 'trial', word: 'On trial', why: `everybody is on ${live.domu}` };
  if (service.held) return { rank: 2, level: 'warn', word: 'Held', why: 'packets wait' };
  if (live.health === 'degraded') return { rank: 3, level: 'warn', word: 'Degraded', why: reasonOf(live) };
  if (drift === null)
    return {
      rank: 4,
      level: 'warn',
      word: 'Drift',
      why: 'the kernel differs, and could not be put back yet',
    };
  if (dark.health === 'unhealthy')
    return {
      rank: 5,
      level: 'warn',
      word: 'Spare is down',
      why: reasonOf(dark),
    };
  if (drift !== undefined)
    return {
      rank: 6,
      level: 'warn',
      word: 'Drift',
      why: `somebody changed its rules; put back at ${clock(drift)}`,
    };
  const drains = drainingUntil(service);
  if (live.health === 'unknown')
    return { rank: 7, level: 'quiet', word: 'Not checked', why: live.healthReason ?? drains };
  return { rank: 8, level: 'good', word: 'Settled', why: drains };
}

/** `3 connections drain on mail-a, cut at 03:14:05`; null where none do. */
export function drainText({ draining }: ServiceView): string | null {
  if (draining === null) return null;
  const { flows, domu, until } = draining;
  const verb = flows === 1 ? 'drains' : 'drain';
  return `${plural(flows, 'connection')} ${verb} on ${domu}${until === null ? '' : `, cut at ${clock(until)}`}`;
}

function drainingUntil({ draining }: ServiceView): string | null {
  if (draining === null) return null;
  return draining.until === null ? 'drains until they end' : `drains until ${clock(draining.until)}`;
}

const reasonOf = ({ domu, healthReason }: DomuView): string =>
  `${domu}: ${healthReason === null ? 'no answer' : gistOfReason(healthReason)}`;

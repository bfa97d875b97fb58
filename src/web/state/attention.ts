import type { DomuView, ServiceView } from '../../api/contract.ts';

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

/** What a sysadmin at night has to know of a service first. */
export function attentionOf(service: ServiceView, drift: boolean): Attention {
  const [live, dark] = [liveDomu(service), darkDomu(service)];
  if (live.health === 'unhealthy')
    return {
      rank: 0,
      level: 'bad',
      word: 'Live is down',
      why: `${live.domu}: ${live.healthReason ?? 'no answer'}`,
    };
  if (service.phase === 'trial')
    return { rank: 1, level: 'trial', word: 'On trial', why: `everybody is on ${live.domu}` };
  if (service.held) return { rank: 2, level: 'warn', word: 'Held', why: 'packets wait' };
  if (live.health === 'degraded')
    return { rank: 3, level: 'warn', word: 'Degraded', why: `${live.domu}: ${live.healthReason ?? ''}` };
  if (drift)
    return { rank: 4, level: 'warn', word: 'Drift', why: 'the kernel differs; it is being put back' };
  if (dark.health === 'unhealthy')
    return {
      rank: 5,
      level: 'warn',
      word: 'Spare is down',
      why: `${dark.domu}: ${dark.healthReason ?? 'no answer'}`,
    };
  if (live.health === 'unknown')
    return { rank: 6, level: 'quiet', word: 'Not checked', why: live.healthReason };
  return { rank: 7, level: 'good', word: 'Settled', why: null };
}

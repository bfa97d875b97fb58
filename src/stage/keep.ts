import { groupBy } from '../lib/group.ts';
import type { StageRecord, StageSettings } from '../model/stage.ts';

/**
 * Which of the kept ones are to go: of each service all but its newest `count`, and those that were taken away longer ago
 * than `for`. Of a service that is on trial none goes. `settings` answers null for what nobody configures any more.
 */
export function overdue(
  records: readonly StageRecord[],
  now: number,
  settings: (service: string) => StageSettings['keep'] | null,
  isOnTrial: (service: string) => boolean,
): StageRecord[] {
  const kept = records.filter(({ state }) => state === 'kept');
  return [...groupBy(kept, ({ service }) => service)].flatMap(([service, ofService]) => {
    const keep = settings(service);
    if (keep === null || isOnTrial(service)) return [];
    const newestFirst = ofService.toSorted((a, b) => endOf(b) - endOf(a));
    return newestFirst.filter((record, at) => at >= keep.count || endOf(record) + keep.for <= now);
  });
}

const endOf = ({ endedAt, startedAt }: StageRecord): number => endedAt ?? startedAt;

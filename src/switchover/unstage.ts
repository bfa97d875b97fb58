import { Refusal } from '../lib/errors.ts';
import { isStanding } from '../model/stage.ts';
import type { Made, StageRecord } from '../model/stage.ts';
import { takeBack } from '../stage/apply.ts';
import type { Context } from './context.ts';
import type { Actor } from './director.ts';
import { goneOn, leftText, StageLog } from './stage-log.ts';
import { goOn, refuseNeeded, settingsOf } from './staging.ts';
import type { Staging } from './staging.ts';

/**
 * Takes the staged DomU away: domain and configuration at once, its volumes as the configuration keeps them, or at once
 * with `purge`, which also takes those that were kept before. One that is still being made is called off.
 */
export async function unstage(
  staging: Staging,
  name: string,
  { purge }: { readonly purge: boolean },
  actor: Actor,
): Promise<StageRecord> {
  const { context } = staging;
  return staging.inTurn(() => {
    const record = choose(context, name, purge);
    if (record.state === 'staging') return callOff(staging, record);
    refuseRemoval(context, record);
    context.reserved.set(name, `${record.domu} is being taken away`);
    const log = new StageLog(context, record);
    try {
      log.update({ state: 'unstaging', doing: `${record.domu} is taken away`, reason: actor.reason ?? null });
    } catch (error) {
      context.reserved.delete(name);
      throw error;
    }
    goOn(staging, log.record, () => takeAway(staging, log, purge, actor));
    return log.record;
  });
}

function choose(context: Context, name: string, purge: boolean): StageRecord {
  const records = context.store.stages({ service: name });
  const entry = context.entries.get(name);
  const live = entry?.slots[entry.primary];
  const standing = records.filter(isStanding);
  const chosen =
    standing.find(({ domu }) => domu !== live) ??
    (purge ? records.find(({ state }) => state === 'kept') : undefined) ??
    standing[0];
  if (chosen !== undefined) return chosen;
  if (entry === undefined && records.length === 0)
    throw new Refusal('unknown', `there is no service "${name}"`);
  throw new Refusal('conflict', `nothing of ${name} is staged; nothing was done`, {
    hint: '"director stage --list" lists what is',
  });
}

function callOff({ runs }: Staging, record: StageRecord): StageRecord {
  runs.get(record.id)?.abort.abort();
  return record;
}

/** A service that nobody defines any more needs none of its DomUs. */
function refuseRemoval(context: Context, { service, domu, state }: StageRecord): void {
  const entry = context.entries.get(service);
  if (entry === undefined) return;
  // Of one that is kept there are only volumes that no DomU runs on.
  refuseNeeded(context, entry, state === 'kept' ? '' : domu);
}

/** Of a director that died in it, too. */
export async function takeAway(staging: Staging, log: StageLog, purge: boolean, actor: Actor): Promise<void> {
  const { context, host } = staging;
  const { id, service, domu, made } = log.record;
  const keeps = !purge && (settingsOf(context, service)?.keep.count ?? 0) > 0;
  const [volumes, others] = [made.filter(isVolume), made.filter((each) => !isVolume(each))];
  const gone = goneOn(log, context);
  const left = await takeBack(others, { id, host, gone });
  // What the DomU still runs on stays with it.
  if (!keeps && left.length === 0) left.push(...(await takeBack(volumes, { id, host, gone })));
  const stays = keeps && left.length === 0 && volumes.length > 0;
  const state = left.length > 0 ? ('failed' as const) : stays ? ('kept' as const) : ('gone' as const);
  const rest = leftText(left);
  log.tell(
    {
      state,
      endedAt: context.clock.now(),
      doing: stays ? 'its volumes are kept' : 'it is gone',
      made: left.length > 0 ? log.record.made : stays ? volumes : [],
      left: rest,
      error: rest.length > 0 ? 'not all of it could be taken away' : null,
      hint: rest.length > 0 ? `see to that, then once more: "director unstage ${service}"` : null,
    },
    { kind: 'unstage', actor, text: describe(domu, stays, rest) },
  );
  if (purge) await prune(staging, (record) => record.service === service, actor);
}

const isVolume = ({ kind }: Made): boolean => kind === 'volume';

function describe(domu: string, keeps: boolean, left: readonly string[]): string {
  if (left.length > 0) return `${domu} could not be taken away whole; what is left: ${left.join('; ')}`;
  return `${domu} is taken away${keeps ? '; its volumes are kept for a time' : ', and its volumes'}`;
}

/** Removes volumes that were kept of what was taken away, where nobody uses them. */
export async function prune(
  { context, host }: Staging,
  wanted: (record: StageRecord) => boolean,
  actor: Actor,
): Promise<void> {
  const kept = context.store.stages().filter((record) => record.state === 'kept' && wanted(record));
  for (const record of kept) {
    const log = new StageLog(context, record);
    const left = await takeBack(record.made, { id: record.id, host, gone: goneOn(log, context) });
    if (left.length > 0) log.update({ left: leftText(left) });
    else {
      const text = `the volumes that were kept of ${record.domu} (${record.id}) are removed`;
      log.tell({ state: 'gone', left: [], doing: 'it is gone' }, { kind: 'prune', actor, text });
    }
  }
}

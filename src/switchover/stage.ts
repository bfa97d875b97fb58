import { randomBytes } from 'node:crypto';
import { messageOf, Refusal } from '../lib/errors.ts';
import { isStanding } from '../model/stage.ts';
import type { StageRecord } from '../model/stage.ts';
import type { Domu } from '../model/service.ts';
import { otherSlot } from '../model/state.ts';
import { carryOut, takeBack } from '../stage/apply.ts';
import { inspect } from '../stage/inspect.ts';
import type { StageOrder } from '../stage/inspect.ts';
import type { StagePlan } from '../stage/plan.ts';
import type { Context } from './context.ts';
import type { Actor } from './director.ts';
import { healthNow } from './fitness.ts';
import type { Entry } from './registry.ts';
import { goneOn, hintOf, leftText, StageLog } from './stage-log.ts';
import { allServices, goOn, serviceDomu, settingsOf } from './staging.ts';
import type { Staging } from './staging.ts';
import { mustFind, refuseReserved } from './switch-over.ts';

/**
 * Makes the dark DomU from the live one. All that can be known before is checked first; then the answer comes, and the
 * steps go on by themselves. Meanwhile, and that is what `reserved` is for, nobody can be switched to it.
 */
export async function stage(
  staging: Staging,
  name: string,
  { wait }: { readonly wait: boolean },
  actor: Actor,
): Promise<StageRecord> {
  const { context, host } = staging;
  const entry = await staging.inTurn(() => reserve(context, name));
  try {
    const order = orderOf(staging, entry, wait);
    const plan = await inspect(order, host);
    const log = new StageLog(context, recordOf(order, plan, actor));
    log.tell({}, { kind: 'stage', actor, text: `${order.to.name} is being made from ${order.from.name}` });
    goOn(staging, log.record, (signal) => make(staging, { log, plan, entry, order, actor, signal }));
    return log.record;
  } catch (error) {
    context.reserved.delete(name);
    throw error;
  }
}

function reserve(context: Context, name: string): Entry {
  const entry = mustFind(context, name);
  refuseReserved(context, name);
  if (entry.trial !== null)
    throw new Refusal('conflict', `${name} is on trial (switch ${entry.trial.id}); nothing was done`, {
      hint: `end the trial first: "director confirm ${name}" or "director rollback ${name}"`,
    });
  const dark = entry.slots[otherSlot(entry.primary)];
  const standing = context.store
    .stages({ service: name })
    .find((one) => one.domu === dark && isStanding(one));
  if (standing !== undefined)
    throw new Refusal('conflict', `${standing.domu} is staged already (${standing.id}); nothing was done`, {
      hint: `"director unstage ${name}" takes it away`,
    });
  context.reserved.set(name, `${dark} is being staged`);
  return entry;
}

function orderOf(staging: Staging, entry: Entry, wait: boolean): StageOrder {
  const { context } = staging;
  const { service } = entry;
  const settings = settingsOf(context, service.name);
  if (settings === null)
    throw new Refusal('unprocessable', `the configuration does not say how ${service.name} is staged`, {
      hint: `write "stage: {}" at the service ${service.name} in ${context.config.file}, then "director reload"`,
    });
  const at = context.clock.now();
  return {
    id: `st-${at.toString(36)}-${randomBytes(3).toString('hex')}`,
    at,
    service,
    services: allServices(context),
    from: serviceDomu(staging, entry, 'primary'),
    to: serviceDomu(staging, entry, 'secondary'),
    settings,
    wait,
  };
}

function recordOf({ id, at, service, from, to }: StageOrder, plan: StagePlan, actor: Actor): StageRecord {
  return {
    id,
    service: service.name,
    domu: to.name,
    from: from.name,
    state: 'staging',
    by: actor.by,
    reason: actor.reason ?? null,
    startedAt: at,
    endedAt: null,
    doing: 'it begins',
    volumes: plan.volumes,
    made: [],
    error: null,
    hint: null,
    left: [],
    notes: plan.notes,
  };
}

interface Making {
  readonly log: StageLog;
  readonly plan: StagePlan;
  readonly entry: Entry;
  readonly order: { readonly from: Domu; readonly to: Domu };
  readonly actor: Actor;
  readonly signal: AbortSignal;
}

async function make(staging: Staging, making: Making): Promise<void> {
  const { context, host } = staging;
  const { log, plan, entry, order, actor, signal } = making;
  const health = () => healthNow(context, entry.service, order.to);
  try {
    await carryOut(plan.steps, { id: log.record.id, host, progress: log, health, signal });
    const text = `${order.to.name} is made from ${order.from.name}, and dark`;
    log.tell(
      { state: 'staged', endedAt: context.clock.now(), doing: 'it is there' },
      { kind: 'staged', actor, text },
    );
  } catch (error) {
    await fail(staging, log, error, actor);
  }
}

/** What had been made is taken away again. */
export async function fail(staging: Staging, log: StageLog, error: unknown, actor: Actor): Promise<void> {
  const { context, host } = staging;
  const { id, made, domu, doing } = log.record;
  const left = await takeBack(made, { id, host, gone: goneOn(log, context) });
  const text = `${domu} could not be made: ${messageOf(error)} (when ${doing}); ${stateText(leftText(left))}`;
  log.tell(
    {
      state: 'failed',
      endedAt: context.clock.now(),
      error: messageOf(error),
      hint: hintOf(error),
      made: left.map((each) => each.made),
      left: leftText(left),
    },
    { kind: 'stage-fail', actor, text },
  );
}

const stateText = (left: readonly string[]): string =>
  left.length === 0 ? 'nothing is left of it' : `what is left of it: ${left.join('; ')}`;

import type { ServiceView, SwitchView } from '../api/contract.ts';
import type { Context } from './context.ts';
import { failed } from './failure.ts';
import type { Failure } from './failure.ts';
import { fetchService, fetchServices } from './services.ts';
import { clockTime } from './time.ts';
import { liveOf } from './view/service.ts';
import { list } from './words.ts';

/** The trial that a confirm or a rollback is about: the service's, or the only one that is on. */
export async function findTrial(context: Context, service: string | undefined): Promise<SwitchView> {
  if (service === undefined) return onlyTrial(context);
  const view = await fetchService(context, service);
  if (view.switch !== null) return view.switch;
  throw failed(
    `${service} is not on trial: ${liveOf(view).domu} (${view.live}) is live, and that is settled.`,
    {
      hint: `To direct everybody to ${view.secondary.domu}: "director switch ${service} --to secondary".`,
    },
  );
}

async function onlyTrial(context: Context): Promise<SwitchView> {
  const trials = trialsOf(await fetchServices(context));
  const [only] = trials;
  if (only === undefined) throw failed('No service is on trial.');
  if (trials.length > 1) throw severalTrials(trials, context.now());
  return only;
}

function trialsOf(views: readonly ServiceView[]): SwitchView[] {
  const byId = new Map(
    views.flatMap(({ switch: trial }) => (trial === null ? [] : [[trial.id, trial] as const])),
  );
  return [...byId.values()];
}

function severalTrials(trials: readonly SwitchView[], now: number): Failure {
  return failed(`${trials.length} trials are on. Name a service of the one that you mean.`, {
    errors: trials.map(({ services, by, committedAt, confirmBy }) => ({
      path: list(services),
      message: [
        `to the secondary by ${by}`,
        ...(committedAt === null ? [] : [`since ${clockTime(committedAt, now)}`]),
        ...(confirmBy === null ? [] : [`back by itself at ${clockTime(confirmBy, now)}`]),
      ].join(', '),
    })),
  });
}

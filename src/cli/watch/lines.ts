import type { ServiceView } from '../../api/contract.ts';
import { toJson } from '../clean.ts';
import type { Context } from '../context.ts';
import { fullTime } from '../time.ts';
import { darkOf, liveOf, stateText } from '../view/service.ts';
import { watchServices } from './live.ts';
import type { WatchStart } from './live.ts';

/** A line for each service, then one for each change of one. Flows alone are no change. */
export async function watchLines(context: Context, start: WatchStart, signal: AbortSignal): Promise<void> {
  const print = printer(context);
  print(start.views);
  const trouble = (why: string | null): void => {
    context.io.stderr.write(`director: ${why ?? 'The daemon is back.'}\n`);
  };
  await watchServices(context, start, { views: print, trouble }, signal);
}

function printer(context: Context): (views: readonly ServiceView[]) => void {
  let printed = new Map<string, string>();
  const line = (text: string): string => `${fullTime(new Date(context.now()).toISOString())}  ${text}`;
  return (views) => {
    const current = new Map(views.map((view) => [view.name, changeOf(view)]));
    for (const view of views) {
      const said = changeOf(view);
      if (printed.get(view.name) !== said) context.say([context.json ? toJson(view) : line(said)]);
    }
    const removed = context.json ? [] : [...printed.keys()].filter((name) => !current.has(name));
    context.say(removed.map((name) => line(`${name}  state=removed`)));
    printed = current;
  };
}

/** `mail  state=trial live=mail-b role=secondary ...`: names of keys are for grep, and stay. */
function changeOf(view: ServiceView): string {
  const live = liveOf(view);
  const dark = darkOf(view);
  const until = view.switch?.confirmBy ?? null;
  return [
    `${view.name} `,
    `state=${stateText(view).replace(', ', '+')}`,
    `live=${live.domu}`,
    `role=${live.role}`,
    `health=${live.health}`,
    `dark=${dark.domu}`,
    `dark-health=${dark.health}`,
    `testing=${view.testing}`,
    `testers=${view.testers.length}`,
    ...(until === null ? [] : [`until=${until}`]),
    ...(view.draining === null ? [] : [`draining=${view.draining.domu}`]),
  ].join(' ');
}

import type { Config } from '../config/index.ts';
import { definitionPrint, formatFaults } from '../config/index.ts';
import { Refusal } from '../lib/errors.ts';
import { filterInSteps, stepByStep } from '../lib/turn.ts';
import type { Steps } from '../lib/turn.ts';
import { change } from './change.ts';
import type { Context } from './context.ts';
import { journal, publish, watchDomus } from './context.ts';
import { forgetFlows, settleFlows } from './define.ts';
import type { Actor } from './director.ts';
import { load } from './load.ts';
import type { Loaded } from './load.ts';
import type { Entry } from './registry.ts';

/** Reads the file again. One that is wrong, or that changes a service on trial, changes nothing. */
export async function reload(context: Context, actor: Actor): Promise<void> {
  const file = context.config.file;
  const read = await context.readConfig(context.config);
  if ('faults' in read) throw refuse(context, file, actor, read.faults);
  const loaded = await stepByStep(load(read.config, context.store));
  if ('faults' in loaded) throw refuse(context, file, actor, loaded.faults);
  const { changed, onTrial } = await stepByStep(compare(context, loaded));
  if (onTrial.length > 0) {
    throw refuse(
      context,
      file,
      actor,
      onTrial.map((name) => ({
        path: `services.${name}`,
        message: 'is on trial: confirm it or roll it back before its definition changes',
      })),
    );
  }
  await take(context, read.config, loaded, changed, actor);
}

function refuse(context: Context, file: string, actor: Actor, faults: Refusal['faults']): Refusal {
  const text = `the configuration was not reloaded, everything goes on as before:\n${formatFaults(file, faults)}`;
  try {
    publish(
      context,
      context.store.write(() => journal(context, 'reload', [], actor, text, { refused: true })),
    );
  } catch (error) {
    // Whoever asked is told the faults all the same.
    context.events.emit('reconcile-failed', { error });
  }
  return new Refusal('unprocessable', `${file} is wrong; everything goes on as before`, { faults });
}

function* compare(
  context: Context,
  { entries, gone }: Loaded,
): Steps<{ changed: Entry[]; onTrial: string[] }> {
  const different = yield* filterInSteps(
    entries.values(),
    (entry) => !sameDefinition(context.entries.get(entry.service.name), entry),
  );
  const changed = different.map((entry) => ({
    ...entry,
    generation: entry.generation + (context.entries.has(entry.service.name) ? 1 : 0),
  }));
  const onTrial = [...different.map(({ service }) => service.name), ...gone].filter(
    (name) => context.entries.get(name)?.trial != null,
  );
  return { changed, onTrial };
}

function sameDefinition(a: Entry | undefined, b: Entry): boolean {
  if (a === undefined) return false;
  const print = ({ slots, source, filePrint }: Entry): string => JSON.stringify([slots, source, filePrint]);
  const same = a.service === b.service || definitionPrint(a.service) === definitionPrint(b.service);
  return same && print(a) === print(b);
}

async function take(
  context: Context,
  config: Config,
  loaded: Loaded,
  changed: readonly Entry[],
  actor: Actor,
): Promise<void> {
  const before = context.entries;
  const old = context.config;
  const gone = loaded.gone.flatMap((name) => before.get(name) ?? []);
  const restart = needsRestart(old, config);
  context.config = {
    ...config,
    listen: old.listen,
    state: old.state,
    markMask: old.markMask,
    iptables: old.iptables,
    xen: old.xen,
    cpu: old.cpu,
  };
  try {
    await change(context, {
      actor,
      changed,
      removed: loaded.gone,
      save: () => {
        context.store.saveLastId(loaded.lastId);
        for (const name of loaded.overtaken) context.store.forgetRemoval(name);
        const names = [...changed.map(({ service }) => service.name), ...loaded.gone];
        return [
          journal(context, 'reload', names, actor, describe(changed, loaded.gone, restart), {
            changed: names,
            restart,
          }),
        ];
      },
    });
  } catch (error) {
    context.config = old;
    throw error;
  }
  watchDomus(context);
  for (const entry of changed) await settleFlows(context, before.get(entry.service.name), entry);
  for (const entry of gone) await forgetFlows(context, entry);
}

/** What is only read at start. */
function needsRestart(old: Config, config: Config): string[] {
  return (['listen', 'state', 'markMask', 'iptables', 'xen', 'cpu'] as const).filter(
    (key) => JSON.stringify(old[key]) !== JSON.stringify(config[key]),
  );
}

function describe(changed: readonly Entry[], gone: readonly string[], restart: readonly string[]): string {
  const parts = [
    ...(changed.length > 0
      ? [`new or changed: ${changed.map(({ service }) => service.name).join(', ')}`]
      : []),
    ...(gone.length > 0 ? [`removed: ${gone.join(', ')}`] : []),
    ...(restart.length > 0 ? [`needs a restart to count: ${restart.join(', ')}`] : []),
  ];
  return `the configuration is reloaded; ${parts.length > 0 ? parts.join('; ') : 'no service has changed'}`;
}

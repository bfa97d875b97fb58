import { z } from 'zod';
import { stageView } from '../../api/contract.ts';
import type { StageView } from '../../api/contract.ts';
import { parseReason, parseService } from '../arguments.ts';
import type { Context } from '../context.ts';
import { misused } from '../failure.ts';
import { servicePath } from '../paths.ts';
import type { Shell } from '../shell.ts';
import { followStage, tellEnd } from '../stage-progress.ts';
import { stageTable } from '../view/stages.ts';

interface StageOptions {
  readonly list?: boolean;
  readonly wait: boolean;
  readonly reason?: string;
}

export function addStage(shell: Shell): void {
  shell.program
    .command('stage')
    .description('make the dark DomU from the live one: snapshots, configuration, start')
    .argument('[service]', 'the service', parseService)
    .option('--list', 'list what was staged, of one service or all, with its volumes')
    .option('--no-wait', 'it is done when the DomU was started, healthy or not')
    .option('--reason <text>', 'why, for the journal', parseReason)
    .addHelpText(
      'after',
      '\nA step that fails takes back those before it. What the live DomU has written on\nits disks is not touched; while several of its volumes are snapshotted it is\npaused for a moment. Needs "stage: {}" at the service in the configuration.\n\nExamples:\n  director stage mail --reason "mail 2.0"\n  director stage --list\n  director unstage mail',
    )
    .action(shell.run(stage));
}

async function stage(context: Context, service: string | undefined, options: StageOptions): Promise<void> {
  if (options.list === true) return list(context, service);
  if (service === undefined) throw misused('Which service is it to stage?', 'director stage SERVICE');
  const { wait, reason } = options;
  const body = { ...(wait ? {} : { wait }), ...(reason === undefined ? {} : { reason }) };
  const begun = await context.client.post(servicePath(service, 'stage'), body);
  tellEnd(context, await followStage(context, begun), stagedText);
}

function stagedText({ service, domu, from, volumes, notes }: StageView): string[] {
  return [
    `${domu} is made from ${from}, and dark: testers and administrators reach it.`,
    ...volumes.map(
      ({ target, device, check }) => `  ${target}: ${device}${check === null ? '' : `; ${check.text}`}`,
    ),
    ...notes.map((note) => `  ${note}`),
    `Install the next version on it, then "director testing ${service} open", and "director switch ${service} --to secondary".`,
  ];
}

async function list(context: Context, service: string | undefined): Promise<void> {
  const query = service === undefined ? '' : `&service=${encodeURIComponent(service)}`;
  const answer = await context.client.get(`/v1/stages?limit=50${query}`);
  await context.show(answer, z.array(stageView), (views) => {
    if (views.length === 0) context.tell(['Nothing was staged.']);
    else context.say(stageTable(views, context.look, context.now()));
  });
}

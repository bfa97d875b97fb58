import type { StageView } from '../../api/contract.ts';
import { parseReason, parseService } from '../arguments.ts';
import type { Context } from '../context.ts';
import { servicePath } from '../paths.ts';
import type { Shell } from '../shell.ts';
import { followStage, tellEnd } from '../stage-progress.ts';

interface UnstageOptions {
  readonly purge?: boolean;
  readonly reason?: string;
}

export function addUnstage(shell: Shell): void {
  shell.program
    .command('unstage')
    .description('take a staged DomU away again, or call off its making')
    .argument('<service>', 'the service', parseService)
    .option('--purge', 'its volumes at once, too, and those that were kept before')
    .option('--reason <text>', 'why, for the journal', parseReason)
    .addHelpText(
      'after',
      '\nIts volumes are kept as stage.keep says: what was written on it in a trial is\nnowhere else. Refused while it is live, or its service is on trial.\n\nExamples:\n  director unstage mail\n  director unstage mail --purge',
    )
    .action(shell.run(unstage));
}

async function unstage(context: Context, service: string, { purge, reason }: UnstageOptions): Promise<void> {
  const query = new URLSearchParams({
    ...(purge === true ? { purge: 'true' } : {}),
    ...(reason === undefined ? {} : { reason }),
  }).toString();
  const path = servicePath(service, 'stage');
  const begun = await context.client.delete(query === '' ? path : `${path}?${query}`);
  tellEnd(context, await followStage(context, begun), takenText);
}

function takenText({ domu, state, volumes }: StageView): string[] {
  if (state !== 'kept') return [`${domu} is gone, and its volumes.`];
  const there = volumes.filter(({ isThere }) => isThere).map(({ device }) => device);
  return [`${domu} is gone. Kept for a time: ${there.join(', ')}; --purge removes them now.`];
}

import { switchView } from '../../api/contract.ts';
import { parseReason, parseService } from '../arguments.ts';
import type { Context } from '../context.ts';
import { failed } from '../failure.ts';
import { switchPath } from '../paths.ts';
import { viewsAfter } from '../services.ts';
import type { Shell } from '../shell.ts';
import { findTrial } from '../trial.ts';
import { endText } from '../view/switch.ts';

type Verb = 'confirm' | 'rollback';

export function addConfirm(shell: Shell): void {
  addEnd(shell, 'confirm', 'keep what is on trial: the roles are exchanged');
}

export function addRollback(shell: Shell): void {
  addEnd(shell, 'rollback', 'end a trial: everybody goes back to where they were');
}

/** Both are of the whole switch, whichever of its services is named. */
function addEnd(shell: Shell, verb: Verb, description: string): void {
  shell.program
    .command(verb)
    .description(description)
    .argument('[service]', 'a service of the trial; not needed where only one trial is on', parseService)
    .option('--reason <text>', 'why, for the journal', parseReason)
    .addHelpText('after', `\nExamples:\n  director ${verb} mail\n  director ${verb}`)
    .action(
      shell.run((context: Context, service: string | undefined, options: { reason?: string }) =>
        end(context, verb, service, options),
      ),
    );
}

async function end(
  context: Context,
  verb: Verb,
  service: string | undefined,
  body: { reason?: string },
): Promise<void> {
  const trial = await findTrial(context, service);
  const answer = await context.client.post(switchPath(trial.id, verb), body);
  await context.show(answer, switchView, async (ended) => {
    if (ended.state === 'failed' || ended.state === 'trial') {
      throw failed(`The ${verb} of ${trial.id} did not end the trial: ${ended.error ?? ended.state}`);
    }
    context.tell(endText(ended, await viewsAfter(context, ended.services)));
  });
}

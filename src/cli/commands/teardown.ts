import type { Context } from '../context.ts';
import { mustBeMeant } from '../meant.ts';
import type { Shell } from '../shell.ts';

const WARNING =
  "This removes every rule, set, bridge and address of dom0-director's from this host's kernel: no service is directed any more, and the daemon stops directing.";

export function addTeardown(shell: Shell): void {
  shell.program
    .command('teardown')
    .description('remove all that is ours from the kernel')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', '\nThe configuration and the journal stay.\n\nExample:\n  director teardown --yes')
    .action(shell.run(teardown));
}

async function teardown(context: Context, options: { yes?: boolean }): Promise<void> {
  if (options.yes !== true) await mustBeMeant(context, 'A teardown', WARNING);
  const answer = await context.client.post('/v1/teardown', {});
  if (context.json) context.printJson(answer.raw());
  else {
    context.tell([
      "Nothing of dom0-director's is in the kernel any more. The daemon directs again when it is started again.",
    ]);
  }
}

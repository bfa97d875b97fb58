import { createInterface } from 'node:readline/promises';
import type { Context } from '../context.ts';
import { failed, misused } from '../failure.ts';
import { wrap } from '../layout.ts';
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
  if (options.yes !== true) await mustBeMeant(context);
  const answer = await context.client.post('/v1/teardown', {});
  if (context.json) context.printJson(answer.raw());
  else {
    context.tell([
      "Nothing of dom0-director's is in the kernel any more. The daemon directs again when it is started again.",
    ]);
  }
}

async function mustBeMeant({ io, json, look }: Context): Promise<void> {
  if (io.stdin?.isTTY !== true || io.stdout.isTTY !== true || json) {
    throw misused('A teardown without a terminal to ask at needs --yes.');
  }
  io.stdout.write(`${wrap(WARNING, look).join('\n')}\nType "yes" to go on: `);
  if ((await readLine(io.stdin)).trim() !== 'yes') throw failed('Not confirmed: nothing was changed.');
}

/** One line; empty where the input ends before one. */
async function readLine(input: NodeJS.ReadableStream): Promise<string> {
  const lines = createInterface({ input });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
  }
}

import { parseService } from '../arguments.ts';
import type { Context } from '../context.ts';
import { servicePath } from '../paths.ts';
import type { Shell } from '../shell.ts';

export function addRelease(shell: Shell): void {
  shell.program
    .command('release')
    .description('end a hold')
    .argument('<service>', 'the service', parseService)
    .addHelpText('after', '\nExample:\n  director release mail')
    .action(shell.run(release));
}

async function release(context: Context, service: string): Promise<void> {
  const answer = await context.client.delete(servicePath(service, 'hold'));
  if (context.json) context.printJson(answer.raw());
  else context.tell([`${service}: packets pass again.`]);
}

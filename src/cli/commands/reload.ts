import type { Context } from '../context.ts';
import type { Shell } from '../shell.ts';

export function addReload(shell: Shell): void {
  shell.program
    .command('reload')
    .description('read the configuration file again; one that is wrong changes nothing')
    .addHelpText('after', '\nExample:\n  director check director.yaml && director reload')
    .action(shell.run(reload));
}

async function reload(context: Context): Promise<void> {
  const answer = await context.client.post('/v1/reload', {});
  if (context.json) context.printJson(answer.raw());
  else context.tell(['The configuration is loaded; "director journal" tells what it changed.']);
}

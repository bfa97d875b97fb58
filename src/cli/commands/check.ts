import type { Context } from '../context.ts';
import { EXIT } from '../failure.ts';
import type { Shell } from '../shell.ts';

export function addCheck(shell: Shell): void {
  shell.program
    .command('check')
    .description('validate a configuration file; changes nothing, needs no daemon')
    .argument('<file>', 'the file')
    .addHelpText('after', '\nExample:\n  director check /etc/dom0-director/director.yaml')
    .action(shell.run(check));
}

async function check(context: Context, file: string): Promise<number> {
  const { ok, text, json } = await context.local.check(file);
  if (context.json) context.printJson(json);
  else (ok ? context.io.stdout : context.io.stderr).write(`${text.trimEnd()}\n`);
  return ok ? EXIT.done : EXIT.failed;
}

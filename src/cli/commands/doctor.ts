import type { Context } from '../context.ts';
import { EXIT } from '../failure.ts';
import type { Shell } from '../shell.ts';

export function addDoctor(shell: Shell): void {
  shell.program
    .command('doctor')
    .description('say whether this host is fit, and what is not; needs no daemon')
    .addHelpText('after', '\nThe exit code is 1 where something is not fit.\n\nExample:\n  director doctor')
    .action(shell.run(doctor));
}

async function doctor(context: Context): Promise<number> {
  const { text, json, fit } = await context.local.doctor();
  if (context.json) context.printJson(json);
  else context.say([text.trimEnd()]);
  return fit ? EXIT.done : EXIT.failed;
}

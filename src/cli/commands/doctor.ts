import type { Context } from '../context.ts';
import { EXIT } from '../failure.ts';
import type { Shell } from '../shell.ts';
import { diagnosisLines } from '../view/diagnosis.ts';

const HELP = `
It changes nothing. What it finds, the worst first, has a reason and, after a $,
a command that mends it or shows more. Exit code 1: there is a FAULT, or
something could not be looked at, as most cannot without root.
With a configuration it asks on the uplink and the bridges, for a second,
whether anybody else has the addresses of services and DomUs. Without --config
it is /etc/dom0-director/director.yaml, if that is there.
--json: {fit, findings: [{check, grade, what, why, command}]}; grades are ok,
warning, unknown and fault. A daemon looks soon after its start and every 10
minutes: metric dom0_director_doctor_findings{check,grade}.

Examples:
  director doctor
  director doctor --config new.yaml`;

export function addDoctor(shell: Shell): void {
  shell.program
    .command('doctor')
    .description('say whether this host is fit, and what is not; needs no daemon')
    .option('--config <file>', 'look also at what its services need')
    .addHelpText('after', HELP)
    .action(shell.run(doctor));
}

async function doctor(context: Context, { config }: { config?: string }): Promise<number> {
  const diagnosis = await context.local.doctor({ config });
  if (context.json) context.printJson(diagnosis);
  else context.say(diagnosisLines(diagnosis, context.look));
  return diagnosis.fit ? EXIT.done : EXIT.failed;
}

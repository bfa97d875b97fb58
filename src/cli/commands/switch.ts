import { Option } from 'commander';
import { switchView } from '../../api/contract.ts';
import type { SwitchRequest } from '../../api/contract.ts';
import { collectServices, parseDurationOrNever, parseDurationText, parseReason } from '../arguments.ts';
import type { Context } from '../context.ts';
import { failed } from '../failure.ts';
import { viewsAfter } from '../services.ts';
import type { Shell } from '../shell.ts';
import { switchText } from '../view/switch.ts';

type SwitchOptions = Omit<SwitchRequest, 'services'>;

export function addSwitch(shell: Shell): void {
  shell.program
    .command('switch')
    .description('direct everybody to the other DomU, on trial')
    .argument('<service...>', 'these services, all at once or none', collectServices)
    .addOption(new Option('--to <role>', 'where to').choices(['secondary', 'primary']).makeOptionMandatory())
    .addOption(
      new Option(
        '--connections <what>',
        'open TCP connections stay until they end (drain), or are ended at once (cut)',
      ).choices(['drain', 'cut']),
    )
    .option('--drain-for <duration>', 'cut what has not ended by then: 5m, or never', parseDurationOrNever)
    .option(
      '--confirm-within <duration>',
      'go back by itself unless confirmed by then: 10m, or never',
      parseDurationOrNever,
    )
    .option(
      '--hold <duration>',
      'let packets wait while everybody is moved and old connections are cut, for so long at the most: 5s',
      parseDurationText,
    )
    .option('--force', 'although the DomU is not healthy')
    .option('--reason <text>', 'why, for the journal', parseReason)
    .addHelpText(
      'after',
      '\nWhat is not given is as the service\'s definition says.\n\nExamples:\n  director switch mail --to secondary --reason "upgrade to 2.0"\n  director switch mail ldap --to secondary --connections cut --confirm-within 5m',
    )
    .action(shell.run(switchOver));
}

async function switchOver(context: Context, services: string[], options: SwitchOptions): Promise<void> {
  const answer = await context.client.post('/v1/switches', { services, ...options });
  await context.show(answer, switchView, async (done) => {
    if (done.state === 'failed') throw failed(`The switch failed: ${done.error ?? 'no reason was given'}`);
    const views = await viewsAfter(context, done.services);
    context.tell(switchText(done, views, context.look, context.now()));
  });
}

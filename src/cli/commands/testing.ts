import { Argument } from 'commander';
import { serviceView } from '../../api/contract.ts';
import type { ServiceView } from '../../api/contract.ts';
import { parseReason, parseService } from '../arguments.ts';
import type { Context } from '../context.ts';
import { servicePath } from '../paths.ts';
import type { Shell } from '../shell.ts';
import { count } from '../words.ts';

export function addTesting(shell: Shell): void {
  shell.program
    .command('testing')
    .description('let testers reach the secondary, or not')
    .argument('<service>', 'the service', parseService)
    .addArgument(new Argument('<state>', 'what it is to be').choices(['open', 'close']))
    .option('--reason <text>', 'why, for the journal', parseReason)
    .addHelpText(
      'after',
      '\nA confirm closes it: the secondary is the old version then.\nOpen it when the next version is there.\n\nExample:\n  director testing mail open',
    )
    .action(shell.run(testing));
}

async function testing(
  context: Context,
  service: string,
  state: 'open' | 'close',
  options: { reason?: string },
): Promise<void> {
  const body = { state: state === 'open' ? 'open' : 'closed', ...options };
  const answer = await context.client.put(servicePath(service, 'testing'), body);
  await context.show(answer, serviceView, (view) => context.tell([testingText(view)]));
}

function testingText({ name, testing: state, testers, secondary }: ServiceView): string {
  if (state === 'closed') return `${name}: testing is closed; testers go where everybody goes.`;
  const who =
    testers.length === 0
      ? 'nobody is a tester yet'
      : `${count(testers.length, 'tester')} may reach ${secondary.domu}`;
  return `${name}: testing is open; ${who}.`;
}

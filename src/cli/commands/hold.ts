import { serviceView } from '../../api/contract.ts';
import { parseDurationText, parseReason, parseService } from '../arguments.ts';
import type { Context } from '../context.ts';
import { servicePath } from '../paths.ts';
import type { Shell } from '../shell.ts';
import { clockTime } from '../time.ts';

interface HoldOptions {
  readonly for: string;
  readonly reason?: string;
}

export function addHold(shell: Shell): void {
  shell.program
    .command('hold')
    .description("let a service's packets wait for a moment, so that data can be brought over")
    .argument('<service>', 'the service', parseService)
    .requiredOption(
      '--for <duration>',
      'at most this long; then they pass again by themselves',
      parseDurationText,
    )
    .option('--reason <text>', 'why, for the journal', parseReason)
    .addHelpText(
      'after',
      '\nPackets are dropped, and senders send them again: connections stay.\n\nExample:\n  director hold mail --for 5s',
    )
    .action(shell.run(hold));
}

async function hold(context: Context, service: string, options: HoldOptions): Promise<void> {
  const answer = await context.client.post(servicePath(service, 'hold'), options);
  await context.show(answer, serviceView, ({ heldUntil }) => {
    const until = heldUntil === null ? '' : ` until ${clockTime(heldUntil, context.now())}`;
    context.tell([
      `${service}: packets wait${until} (${options.for}); "director release ${service}" lets them pass earlier.`,
    ]);
  });
}

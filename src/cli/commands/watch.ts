import { z } from 'zod';
import { journalEntry } from '../../api/contract.ts';
import type { Context } from '../context.ts';
import { untilInterrupted } from '../interrupt.ts';
import { journalPath } from '../paths.ts';
import { fetchServices } from '../services.ts';
import type { Shell } from '../shell.ts';
import { watchLines } from '../watch/lines.ts';
import { SHOWN_ENTRIES, watchScreen } from '../watch/screen.ts';

export function addWatch(shell: Shell): void {
  shell.program
    .command('watch')
    .description('show the status as it changes; without a terminal, a line a change')
    .addHelpText(
      'after',
      '\nCtrl-C ends it. With --json: one service a line, as it is after each change.\n\nExamples:\n  director watch\n  director watch --json | jq --unbuffered -r \'select(.phase == "trial").name\'',
    )
    .action(shell.run(watch));
}

async function watch(context: Context): Promise<void> {
  const entries = (await context.client.get(journalPath(SHOWN_ENTRIES))).as(z.array(journalEntry));
  const views = await fetchServices(context);
  const show = context.look.tty && !context.json ? watchScreen : watchLines;
  await untilInterrupted(context.io.signal, (signal) => show(context, { views, entries }, signal));
}

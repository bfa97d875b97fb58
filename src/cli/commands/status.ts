import { z } from 'zod';
import { journalEntry } from '../../api/contract.ts';
import type { JournalEntry } from '../../api/contract.ts';
import { parseService } from '../arguments.ts';
import type { Context } from '../context.ts';
import { journalPath, servicePath } from '../paths.ts';
import { fetchService, serviceViews } from '../services.ts';
import type { Shell } from '../shell.ts';
import { statusDetail } from '../view/detail.ts';
import { NO_SERVICES, statusTable } from '../view/table.ts';

export function addStatus(shell: Shell): void {
  shell.program
    .command('status')
    .description('show which DomU of each service is live, and what is on trial')
    .argument('[service]', 'show all of this one', parseService)
    .addHelpText(
      'after',
      '\nMarks: ✓ healthy, ! some ports refuse, ✗ none answers, ? not checked\n(+ ! x ? without Unicode)\n\nExamples:\n  director status\n  director status mail\n  director status --json | jq -r \'.[] | select(.phase == "trial") | .name\'',
    )
    .action(shell.run(status));
}

async function status(context: Context, service: string | undefined): Promise<void> {
  if (service !== undefined) return statusOfOne(context, service);
  await context.show(await context.client.get('/v1/services'), serviceViews, (views) => {
    if (views.length === 0) context.tell([NO_SERVICES]);
    else context.say(statusTable(views, context.look, context.now()));
  });
}

async function statusOfOne(context: Context, service: string): Promise<void> {
  if (context.json) {
    context.printJson((await context.client.get(servicePath(service))).raw());
    return;
  }
  const view = await fetchService(context, service);
  context.say(statusDetail(view, await lastEntries(context, service), context.look, context.now()));
}

/** Newest first. A journal that cannot be read does not keep the status from being shown. */
async function lastEntries({ client }: Context, service: string): Promise<JournalEntry[]> {
  try {
    return (await client.get(journalPath(5, service))).as(z.array(journalEntry));
  } catch {
    return [];
  }
}

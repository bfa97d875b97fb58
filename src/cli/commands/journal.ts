import { z } from 'zod';
import { journalEntry } from '../../api/contract.ts';
import type { JournalEntry } from '../../api/contract.ts';
import { parseCount, parseService } from '../arguments.ts';
import { toJson } from '../clean.ts';
import type { Context } from '../context.ts';
import { entryOf } from '../entry.ts';
import { follow } from '../follow.ts';
import { untilInterrupted } from '../interrupt.ts';
import { journalPath } from '../paths.ts';
import type { Shell } from '../shell.ts';
import { journalLines, nameWidth } from '../view/journal.ts';

interface JournalOptions {
  readonly lines: number;
  readonly follow?: boolean;
  readonly service?: string;
}

export function addJournal(shell: Shell): void {
  shell.program
    .command('journal')
    .description('show what happened: when, by whom, what, why; the newest last')
    .option('-n, --lines <count>', 'this many entries', parseCount, 20)
    .option('-f, --follow', 'go on with what happens from now')
    .option('--service <name>', 'only what concerns this service', parseService)
    .addHelpText(
      'after',
      '\n--json prints the newest first, as the API does;\nwith --follow one entry a line, the newest last.\n\nExamples:\n  director journal -n 50 --service mail\n  director journal --follow',
    )
    .action(shell.run(journal));
}

async function journal(context: Context, options: JournalOptions): Promise<void> {
  const answer = await context.client.get(journalPath(options.lines, options.service));
  if (options.follow === true) {
    await goOn(context, answer.as(z.array(journalEntry)), options.service);
    return;
  }
  await context.show(answer, z.array(journalEntry), (entries) => {
    if (entries.length === 0) context.tell(['Nothing has happened yet.']);
    else context.say(journalLines(entries.toReversed(), context.look, context.now()));
  });
}

async function goOn(context: Context, known: readonly JournalEntry[], service?: string): Promise<void> {
  let width = nameWidth(known);
  const print = (entry: JournalEntry): void => {
    width = Math.max(width, nameWidth([entry]));
    context.say(context.json ? [toJson(entry)] : journalLines([entry], context.look, context.now(), width));
  };
  known.toReversed().forEach(print);
  await untilInterrupted(context.io.signal, async (signal) => {
    const notice = (text: string) => context.io.stderr.write(`director: ${text}\n`);
    const events = follow(context.client, {
      after: await newestId(context, known, service),
      signal,
      onLost: ({ message }) => notice(`${message} Trying again.`),
      onBack: () => notice('The daemon is back.'),
    });
    for await (const event of events) {
      const entry = entryOf(event);
      if (entry !== null && (service === undefined || entry.services.includes(service))) print(entry);
    }
  });
}

/** Where to go on: with a service, entries of others may be newer than the newest that is known. */
async function newestId(
  { client }: Context,
  known: readonly JournalEntry[],
  service?: string,
): Promise<number> {
  if (service === undefined || known[0] !== undefined) return known[0]?.id ?? 0;
  return (await client.get(journalPath(1))).as(z.array(journalEntry))[0]?.id ?? 0;
}

import { Argument } from 'commander';
import { z } from 'zod';
import { testerView } from '../../api/contract.ts';
import type { TesterRequest, TesterView } from '../../api/contract.ts';
import { parseDurationText, parseNote, parseService, parseSource } from '../arguments.ts';
import type { Context } from '../context.ts';
import { misused } from '../failure.ts';
import { layout } from '../layout.ts';
import { servicePath } from '../paths.ts';
import type { Shell } from '../shell.ts';
import { clockTime, left } from '../time.ts';

type Action = 'add' | 'remove';
interface TesterOptions {
  readonly for?: string;
  readonly note?: string;
}

const USAGE = 'director testers SERVICE [add SOURCE [--for 8h] [--note TEXT] | remove SOURCE]';

export function addTesters(shell: Shell): void {
  shell.program
    .command('testers')
    .description('list, add or remove who is directed to the secondary')
    .argument('<service>', 'the service', parseService)
    .addArgument(new Argument('[action]', 'what to do').choices(['add', 'remove']))
    .argument('[source]', 'an address or a network', parseSource)
    .option('--for <duration>', 'add: for this long, such as 8h; else until removed', parseDurationText)
    .option('--note <text>', 'add: who this is', parseNote)
    .usage('[options] <service> [add <source> | remove <source>]')
    .addHelpText(
      'after',
      '\nExamples:\n  director testers mail\n  director testers mail add 198.51.100.7 --for 8h --note "Ann\'s laptop"\n  director testers mail remove 198.51.100.7',
    )
    .action(shell.run(testers));
}

async function testers(
  context: Context,
  service: string,
  action: Action | undefined,
  source: string | undefined,
  options: TesterOptions,
): Promise<void> {
  if (action !== 'add' && (options.for !== undefined || options.note !== undefined)) {
    throw misused('--for and --note go with "add".', USAGE);
  }
  if (action === undefined) return listTesters(context, service);
  if (source === undefined) throw misused(`Which source is it to ${action}?`, USAGE);
  return action === 'add' ? add(context, service, source, options) : remove(context, service, source);
}

async function listTesters(context: Context, service: string): Promise<void> {
  const answer = await context.client.get(servicePath(service, 'testers'));
  await context.show(answer, z.array(testerView), (all) => {
    if (all.length === 0) context.tell([`${service} has no testers.`]);
    else context.say(table(all, context));
  });
}

function table(all: readonly TesterView[], context: Context): string[] {
  const columns = [
    { title: 'SOURCE' },
    { title: 'LEASE' },
    { title: 'NOTE', least: 10, wraps: true as const },
  ];
  const rows = all.map(({ source, kind, expiresAt, note }) => [
    { texts: [source] as const },
    {
      texts: [
        expiresAt === null
          ? kind === 'permanent'
            ? kind
            : 'until removed'
          : lease(expiresAt, context.now()),
      ] as const,
    },
    { texts: [note ?? ''] as const },
  ]);
  return layout(columns, rows, context.look);
}

const lease = (expiresAt: string, now: number): string =>
  `${left(expiresAt, now)} left, until ${clockTime(expiresAt, now)}`;

async function add(context: Context, service: string, source: string, options: TesterOptions): Promise<void> {
  const body: TesterRequest = {
    ...(options.for === undefined ? {} : { expiresIn: options.for }),
    ...(options.note === undefined ? {} : { note: options.note }),
  };
  const answer = await context.client.put(servicePath(service, 'testers', source), body);
  await context.show(answer, testerView, (tester) => {
    const until =
      tester.expiresAt === null
        ? 'until it is removed'
        : `until ${clockTime(tester.expiresAt, context.now())}${options.for === undefined ? '' : ` (${options.for})`}`;
    context.tell([`${service}: ${tester.source} is a tester ${until}.`]);
  });
}

async function remove(context: Context, service: string, source: string): Promise<void> {
  const answer = await context.client.delete(servicePath(service, 'testers', source));
  if (context.json) context.printJson(answer.raw());
  else context.tell([`${service}: ${source} is no tester any more.`]);
}

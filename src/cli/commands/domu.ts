import { Argument } from 'commander';
import { z } from 'zod';
import { consoleView, domuRow } from '../../api/contract.ts';
import { parseCount, parseDomu, parseReason } from '../arguments.ts';
import type { Context } from '../context.ts';
import { misused } from '../failure.ts';
import { mustBeMeant } from '../meant.ts';
import { domuPath } from '../paths.ts';
import type { Shell } from '../shell.ts';
import { domuTable } from '../view/stages.ts';

type Action = 'list' | 'console' | 'destroy';
interface DomuOptions {
  readonly lines: number;
  readonly yes?: boolean;
  readonly reason?: string;
}

const USAGE = 'director domu list | console DOMU [-n 50] | destroy DOMU [--yes]';

export function addDomu(shell: Shell): void {
  shell.program
    .command('domu')
    .description('list the DomUs of all services, read a console, or end a dark one')
    .addArgument(new Argument('<action>', 'what to do').choices(['list', 'console', 'destroy']))
    .argument('[domu]', 'the DomU', parseDomu)
    .option('-n, --lines <count>', 'console: the last so many lines', parseCount, 50)
    .option('-y, --yes', 'destroy: do not ask')
    .option('--reason <text>', 'destroy: why, for the journal', parseReason)
    .usage('[options] list | console <domu> | destroy <domu>')
    .addHelpText(
      'after',
      '\nFor those who may use the director, and need not be root. A console is what\nxenconsoled wrote down; nobody can type into it here. destroy ends a DomU at\nonce, like pulling the plug: never a live one, nor one of a service on trial.\n\nExamples:\n  director domu list\n  director domu console mail-b -n 100\n  director domu destroy mail-b',
    )
    .action(shell.run(domu));
}

async function domu(
  context: Context,
  action: Action,
  name: string | undefined,
  options: DomuOptions,
): Promise<void> {
  if (action === 'list') return list(context);
  if (name === undefined) throw misused(`Which DomU is it?`, USAGE);
  return action === 'console' ? readConsole(context, name, options.lines) : destroy(context, name, options);
}

async function list(context: Context): Promise<void> {
  const answer = await context.client.get('/v1/domus');
  await context.show(answer, z.array(domuRow), (rows) => context.say(domuTable(rows, context.look)));
}

async function readConsole(context: Context, name: string, lines: number): Promise<void> {
  const answer = await context.client.get(`${domuPath(name, 'console')}?lines=${lines}`);
  await context.show(answer, consoleView, (view) => context.say(view.lines));
}

async function destroy(context: Context, name: string, { yes, reason }: DomuOptions): Promise<void> {
  const warning = `This ends ${name} at once, as if its plug were pulled: what it has not written to its disks is lost.`;
  if (yes !== true) await mustBeMeant(context, 'A destroy', warning);
  await context.client.post(domuPath(name, 'destroy'), reason === undefined ? {} : { reason });
  if (!context.json) context.tell([`${name} is ended.`]);
}

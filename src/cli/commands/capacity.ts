import { availableParallelism } from 'node:os';
import { InvalidArgumentError, Option } from 'commander';
import { capacityView } from '../../api/contract.ts';
import { coresLeft } from '../../capacity/host-load.ts';
import { consolidate, haveCommonDay, spanOf } from '../../capacity/consolidate.ts';
import type { Consolidation, Wish } from '../../capacity/consolidate.ts';
import type { Machine } from '../../capacity/machine.ts';
import { nanosOf } from '../../capacity/routing-cost.ts';
import { parseDurationText } from '../arguments.ts';
import type { Context } from '../context.ts';
import { failed, misused } from '../failure.ts';
import { fetchCost } from '../routing-cost.ts';
import { readMachines } from '../recordings.ts';
import type { Shell } from '../shell.ts';
import { consolidationJson } from '../view/consolidation-json.ts';
import { consolidationLines } from '../view/consolidation.ts';
import { headroomLines } from '../view/headroom.ts';

interface CapacityOptions {
  readonly cores?: number;
  readonly reserve: number;
  readonly iowait?: boolean;
  readonly byTimeOfDay?: boolean;
  readonly for?: string;
}

export function addCapacity(shell: Shell): void {
  shell.program
    .command('capacity')
    .description("say what this host can still carry, or how many hosts other machines' loads need")
    .argument('[file...]', "other machines' loads, as sadf -j wrote them; FILE or NAME=FILE")
    .option('--cores <count>', 'of a host; else those of this one', parseCores)
    .addOption(
      new Option('--reserve <percent>', 'of a host, to be left free')
        .argParser(parseReserve)
        .default(0.2, '20%'),
    )
    .option('--iowait', 'count waiting for disks as load, too')
    .option('--by-time-of-day', 'lay days over each other, where machines were not watched on the same ones')
    .option('--for <duration>', 'look at this host for so long: 100ms to 20s (else 3s)', parseDurationText)
    .addHelpText(
      'after',
      '\nWith files no daemon is needed; one that has a meter tells what a packet costs.\n' +
        'On each machine, for each day: sadf -j /var/log/sysstat/sa20 -- -u ALL -n DEV\n\n' +
        'Examples:\n  director capacity\n  director capacity mail.json ldap.json db.json --cores 8\n' +
        '  director capacity mail-*.json old=box.json --reserve 30% --json',
    )
    .action(shell.run(capacity));
}

async function capacity(context: Context, files: string[], options: CapacityOptions): Promise<void> {
  if (files.length > 0) return planFor(context, files, options);
  if (options.cores !== undefined || options.iowait === true || options.byTimeOfDay === true)
    throw misused(
      '--cores, --iowait and --by-time-of-day are for files of other machines, and none was given.',
    );
  await headroom(context, options);
}

async function headroom(context: Context, options: CapacityOptions): Promise<void> {
  const query = options.for === undefined ? '' : `?for=${options.for}`;
  const answer = await context.client.get(`/v1/capacity${query}`);
  const known = await fetchCost(context.client);
  const view = answer.as(capacityView);
  if (!context.json) {
    context.say(headroomLines(view, known, options.reserve, context.look));
    return;
  }
  const left = coresLeft(view, options.reserve);
  const { cost, measured, origin } = known;
  context.printJson({
    ...(answer.raw() as object),
    reserve: options.reserve,
    coresLeft: left,
    packetsPerSecondLeft: Math.floor((left * 1e9) / nanosOf(cost)),
    packet: { ...cost, measured, origin },
  });
}

async function planFor(context: Context, files: readonly string[], options: CapacityOptions): Promise<void> {
  if (options.for !== undefined) throw misused('--for is for looking at this host; files were given.');
  const machines = await readMachines(files);
  const byTimeOfDay = options.byTimeOfDay === true;
  if (!byTimeOfDay && !haveCommonDay(machines)) throw noCommonDay(machines);
  const known = await fetchCost(context.client);
  const wish: Wish = {
    cores: options.cores ?? availableParallelism(),
    reserve: options.reserve,
    withIowait: options.iowait === true,
    byTimeOfDay,
    cost: known.cost,
  };
  const plan: Consolidation = consolidate(machines, wish);
  if (context.json) context.printJson(consolidationJson(plan, wish, known));
  else context.say(consolidationLines(plan, wish, known, context.look));
}

function noCommonDay(machines: readonly Machine[]) {
  return failed(
    'There is no day of which something is known of every machine, so nothing can be added over time.',
    {
      errors: machines.map((machine) => ({ path: machine.name, message: spanOf(machine) })),
      hint: 'Fetch the same days of all, or add by the time of day, whatever the day: --by-time-of-day',
    },
  );
}

function parseCores(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('it is not a whole number from 1 to 9999.');
}

/** A share of 1. */
function parseReserve(text: string): number {
  const [, digits = ''] = /^(\d{1,2})%?$/.exec(text) ?? [];
  if (digits !== '' && Number(digits) <= 90) return Number(digits) / 100;
  throw new InvalidArgumentError('it is not a percentage from 0 to 90, such as 20%.');
}

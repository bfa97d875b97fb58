import type { Command, Option } from 'commander';
import type { ServiceView } from '../api/contract.ts';
import type { CliIo, LocalCommands } from './io.ts';
import { Client } from './client.ts';
import { serviceViews } from './services.ts';
import { targetOf, userOf } from './target.ts';
import type { GlobalOptions } from './target.ts';
import { clean } from './clean.ts';

interface Candidate {
  readonly value: string;
  readonly about: string;
}

/** What stands before the word that is being typed. */
interface Typed {
  readonly command: Command;
  readonly positionals: number;
  /** The option whose value is being typed. */
  readonly valueOf: Option | undefined;
  readonly socket: string | undefined;
}

/** A shell waits for this; without a daemon there are simply no names. */
const PATIENCE = 1000;

/** Lines of `candidate TAB description` for the last of the words; the others stand before it. */
export async function completionOf(
  program: Command,
  words: readonly string[],
  io: CliIo,
  local: LocalCommands,
): Promise<string> {
  const current = words.at(-1) ?? '';
  const typed = readWords(program, words.slice(0, -1));
  const options = typed.socket === undefined ? {} : { socket: typed.socket };
  const names = {
    services: () => serviceNames(options, io, local),
    domus: () => domuNames(options, io, local),
  };
  const candidates = await candidatesFor(program, typed, current, names);
  return candidates
    .filter(({ value }) => value.startsWith(current))
    .map(({ value, about }) => `${value}\t${about}\n`)
    .join('');
}

function readWords(program: Command, words: readonly string[]): Typed {
  let command = program;
  let positionals = 0;
  let valueOf: Option | undefined;
  let socket: string | undefined;
  for (const word of words) {
    if (valueOf !== undefined) {
      if (valueOf.long === '--socket') socket = word;
      valueOf = undefined;
    } else if (word.startsWith('-')) {
      if (word.startsWith('--socket=')) socket = word.slice('--socket='.length);
      const option = optionsOf(program, command).find((each) => each.long === word || each.short === word);
      valueOf = option?.required === true ? option : undefined;
    } else {
      const sub = command === program ? commandsOf(program).find((each) => each.name() === word) : undefined;
      if (sub === undefined) positionals++;
      else command = sub;
    }
  }
  return { command, positionals, valueOf, socket };
}

async function candidatesFor(
  program: Command,
  { command, positionals, valueOf }: Typed,
  current: string,
  { services, domus }: Readonly<Record<'services' | 'domus', () => Promise<Candidate[]>>>,
): Promise<Candidate[]> {
  if (valueOf !== undefined) {
    return valueOf.long === '--service' ? services() : choices(valueOf.argChoices);
  }
  if (current.startsWith('-')) {
    return optionsOf(program, command).map(({ long, short, description }) => ({
      value: long ?? short ?? '',
      about: description,
    }));
  }
  if (command === program) {
    return commandsOf(program).map((each) => ({ value: each.name(), about: each.description() }));
  }
  const last = command.registeredArguments.at(-1);
  const argument = command.registeredArguments[positionals] ?? (last?.variadic === true ? last : undefined);
  if (argument?.name() === 'service') return services();
  return argument?.name() === 'domu' ? domus() : choices(argument?.argChoices);
}

const choices = (values: readonly string[] | undefined): Candidate[] =>
  (values ?? []).map((value) => ({ value, about: '' }));

function optionsOf(program: Command, command: Command): Option[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...(command === program ? [] : help.visibleOptions(program))];
}

const commandsOf = (program: Command): Command[] => program.createHelp().visibleCommands(program);

async function serviceNames(options: GlobalOptions, io: CliIo, local: LocalCommands): Promise<Candidate[]> {
  return (await views(options, io, local)).map((view) => ({
    value: clean(view.name),
    about: `${view.phase}, ${view[view.live].domu} is live`,
  }));
}

async function domuNames(options: GlobalOptions, io: CliIo, local: LocalCommands): Promise<Candidate[]> {
  return (await views(options, io, local)).flatMap((view) =>
    (['primary', 'secondary'] as const).map((role) => ({
      value: clean(view[role].domu),
      about: `${role} of ${view.name}${view.live === role ? ', live' : ''}`,
    })),
  );
}

async function views(options: GlobalOptions, io: CliIo, local: LocalCommands): Promise<ServiceView[]> {
  try {
    const client = new Client(targetOf(options, io.env), {
      version: local.version,
      user: userOf(io.env),
      token: undefined,
    });
    return (await client.get('/v1/services', PATIENCE)).as(serviceViews);
  } catch {
    return [];
  }
}

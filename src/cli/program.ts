import { Command, Option } from 'commander';
import type { Argument } from 'commander';
import { parseUrl } from './arguments.ts';
import { addCapacity } from './commands/capacity.ts';
import { addCheck } from './commands/check.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfirm, addRollback } from './commands/end.ts';
import { addCpu } from './commands/cpu.ts';
import { addDoctor } from './commands/doctor.ts';
import { addDomu } from './commands/domu.ts';
import { addHold } from './commands/hold.ts';
import { addJournal } from './commands/journal.ts';
import { addLab } from './commands/lab.ts';
import { addPlan } from './commands/plan.ts';
import { addRelease } from './commands/release.ts';
import { addReload } from './commands/reload.ts';
import { addServe } from './commands/serve.ts';
import { addStage } from './commands/stage.ts';
import { addStatus } from './commands/status.ts';
import { addSwitch } from './commands/switch.ts';
import { addTeardown } from './commands/teardown.ts';
import { addTesters } from './commands/testers.ts';
import { addTesting } from './commands/testing.ts';
import { addUnstage } from './commands/unstage.ts';
import { addVif } from './commands/vif.ts';
import { addWatch } from './commands/watch.ts';
import { addWhoami } from './commands/whoami.ts';
import { toJson } from './clean.ts';
import { misused } from './failure.ts';
import type { CliIo, LocalCommands } from './io.ts';
import { lookOf } from './look.ts';
import type { Look } from './look.ts';
import { Shell } from './shell.ts';
import type { GlobalOptions } from './target.ts';

/** The whole tree of commands. Parsing it runs one; its exit code is then in the shell. */
export function buildProgram(
  io: CliIo,
  local: LocalCommands,
  argv: readonly string[],
): { program: Command; shell: Shell } {
  const program = new Command('director');
  const shell = new Shell(program, io, local);
  program
    .description("Directs each service's traffic between two guests: test the new one, switch, roll back.")
    .version(local.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'say how a command is used')
    .configureHelp({
      showGlobalOptions: true,
      minWidthToWrap: 24,
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map(humanReadableArgName)].join(' '),
    })
    .exitOverride();
  addGlobalOptions(program);
  speakThrough(program, io, argv);
  addCommands(shell);
  program.addHelpText(
    'after',
    '\nExamples:\n  director status\n  director switch mail --to secondary --reason "upgrade to 2.0"\n  director confirm mail\n\nExit codes: 0 done; 1 refused or failed; 2 bad usage; 3 no daemon reached.',
  );
  return { program, shell };
}

/** `<service...>`, `[source]`: as commander writes them. */
function humanReadableArgName(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '...' : '');
  return argument.required ? `<${name}>` : `[${name}]`;
}

function addGlobalOptions(program: Command): void {
  program
    .addOption(
      new Option(
        '--socket <path>',
        "the daemon's socket (else $DIRECTOR_SOCKET, else /run/dom0-director/director.sock)",
      ).conflicts('url'),
    )
    .addOption(new Option('--url <url>', 'reach a daemon over the network instead').argParser(parseUrl))
    .option('--token <token>', 'for --url; $DIRECTOR_TOKEN keeps it out of the list of processes')
    .option('--json', "print the API's own JSON")
    .option('--color', 'colours, terminal or not')
    .option('--no-color', 'no colours (also $NO_COLOR)');
}

/** Commander's own words go through our outputs, and its errors look like all others. */
function speakThrough(program: Command, io: CliIo, argv: readonly string[]): void {
  const color = () => program.opts<GlobalOptions>().color;
  const widthOf = (look: Look): number => (Number.isFinite(look.width) ? look.width : 80);
  const out = (): Look => lookOf(io.stdout, io.env, color());
  const err = (): Look => lookOf(io.stderr, io.env, color());
  program.configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: (text) => io.stderr.write(text),
    getOutHelpWidth: () => widthOf(out()),
    getErrHelpWidth: () => widthOf(err()),
    getOutHasColors: () => out().colors.isColorSupported,
    getErrHasColors: () => err().colors.isColorSupported,
    outputError: (text, write) => {
      const detail = text.trim().replace(/^error: /, '');
      if (argv.includes('--json')) write(`${toJson(misused(detail).raw, 2)}\n`);
      else write(`${err().colors.red('director:')} ${detail}\n  --help says how it is used.\n`);
    },
  });
}

function addCommands(shell: Shell): void {
  shell.program.commandsGroup('Look:');
  addStatus(shell);
  addWatch(shell);
  addJournal(shell);
  addWhoami(shell);
  addPlan(shell);
  addCapacity(shell);
  addCpu(shell);
  shell.program.commandsGroup('Direct:');
  addSwitch(shell);
  addConfirm(shell);
  addRollback(shell);
  addHold(shell);
  addRelease(shell);
  addTesters(shell);
  addTesting(shell);
  shell.program.commandsGroup('Guests:');
  addStage(shell);
  addUnstage(shell);
  addDomu(shell);
  addVif(shell);
  shell.program.commandsGroup('This host:');
  addServe(shell);
  addReload(shell);
  addTeardown(shell);
  addCheck(shell);
  addDoctor(shell);
  addLab(shell);
  shell.program.commandsGroup('More:');
  addCompletion(shell);
  shell.program.helpCommand('help [command]', 'say how a command is used');
}

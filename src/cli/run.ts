import { CommanderError } from 'commander';
import { messageOf } from '../lib/errors.ts';
import { toJson } from './clean.ts';
import { completionOf } from './complete.ts';
import { EXIT, Failure, failed } from './failure.ts';
import type { CliIo, LocalCommands } from './io.ts';
import { wrap } from './layout.ts';
import { lookOf } from './look.ts';
import { buildProgram } from './program.ts';
import type { GlobalOptions } from './target.ts';

/**
 * The command line. `argv` is without the program's own name. Answers the exit code: 0 done, 1 the daemon refused or
 * failed, 2 bad usage, 3 no daemon reached. Never ends the process, and never rejects.
 */
export async function runCli(argv: readonly string[], io: CliIo, local: LocalCommands): Promise<number> {
  const { program, shell } = buildProgram(io, local, argv);
  try {
    if (argv[0] === '__complete') {
      io.stdout.write(await completionOf(program, argv.slice(1), io, local));
      return EXIT.done;
    }
    await program.parseAsync(argv, { from: 'user' });
    return shell.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const failure = error instanceof Failure ? error : failed(messageOf(error));
    report(failure, io, program.opts<GlobalOptions>());
    return failure.exit;
  }
}

function report(failure: Failure, io: CliIo, options: GlobalOptions): void {
  if (options.json === true) {
    io.stderr.write(`${toJson(failure.raw, 2)}\n`);
    return;
  }
  const look = lookOf(io.stderr, io.env, options.color);
  const { detail, errors, hint } = failure.problem;
  const [first = '', ...more] = wrap(`director: ${detail}`, look, 2);
  const lines = [
    first.replace('director:', look.colors.red('director:')),
    ...more,
    ...errors.flatMap(({ path, message, line, column }) => {
      const where = [
        path,
        line === undefined ? '' : `line ${line}${column === undefined ? '' : `:${column}`}`,
      ]
        .filter((part) => part !== '')
        .join(', ');
      return wrap(`  - ${where === '' ? '' : `${where}: `}${message}`, look, 4);
    }),
    ...(hint === undefined ? [] : wrap(`  ${hint}`, look, 2)),
  ];
  io.stderr.write(`${lines.join('\n')}\n`);
}

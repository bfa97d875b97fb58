import type { Command } from 'commander';
import { Context } from './context.ts';
import { EXIT } from './failure.ts';
import type { CliIo, LocalCommands } from './io.ts';
import type { GlobalOptions } from './target.ts';

/** Where commands are added to, and where the one that ran leaves its exit code. */
export class Shell {
  readonly program: Command;
  readonly #io: CliIo;
  readonly #local: LocalCommands;
  code: number = EXIT.done;

  constructor(program: Command, io: CliIo, local: LocalCommands) {
    this.program = program;
    this.#io = io;
    this.#local = local;
  }

  context(): Context {
    return new Context(this.#io, this.#local, this.program.opts<GlobalOptions>());
  }

  /** A commander action. A verb that answers nothing has done what it was asked for. */
  run<Args extends unknown[]>(
    verb: (context: Context, ...args: Args) => Promise<number | undefined> | Promise<void>,
  ): (...args: Args) => Promise<void> {
    return async (...args) => {
      this.code = (await verb(this.context(), ...args)) ?? EXIT.done;
    };
  }
}

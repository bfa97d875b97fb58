import type { z } from 'zod';
import type { Answer } from './answer.ts';
import { toJson } from './clean.ts';
import { Client } from './client.ts';
import type { CliIo, LocalCommands } from './io.ts';
import { wrap } from './layout.ts';
import { lookOf } from './look.ts';
import type { Look } from './look.ts';
import { targetOf, userOf } from './target.ts';
import type { GlobalOptions } from './target.ts';

/** What every command is given. */
export class Context {
  readonly io: CliIo;
  readonly local: LocalCommands;
  readonly json: boolean;
  readonly #options: GlobalOptions;
  #client: Client | undefined;

  constructor(io: CliIo, local: LocalCommands, options: GlobalOptions) {
    this.io = io;
    this.local = local;
    this.json = options.json === true;
    this.#options = options;
  }

  /** Made anew each time: a terminal changes its width. */
  get look(): Look {
    return lookOf(this.io.stdout, this.io.env, this.#options.color);
  }

  get client(): Client {
    this.#client ??= new Client(targetOf(this.#options, this.io.env), {
      version: this.local.version,
      user: userOf(this.io.env),
      token: this.#options.token ?? this.io.env.DIRECTOR_TOKEN,
    });
    return this.#client;
  }

  now(): number {
    return this.io.now?.() ?? Date.now();
  }

  say(lines: readonly string[]): void {
    if (lines.length > 0) this.io.stdout.write(`${lines.join('\n')}\n`);
  }

  /** Sentences without colour, broken at the terminal's width. */
  tell(sentences: readonly string[]): void {
    this.say(sentences.flatMap((sentence) => wrap(sentence, this.look)));
  }

  printJson(value: unknown): void {
    if (value !== undefined) this.io.stdout.write(`${toJson(value, 2)}\n`);
  }

  /** The answer as it came, for `--json`; else what `print` makes of it. */
  async show<Schema extends z.ZodType>(
    answer: Answer,
    schema: Schema,
    print: (view: z.output<Schema>) => unknown,
  ): Promise<void> {
    if (this.json) this.printJson(answer.raw());
    else await print(answer.as(schema));
  }
}

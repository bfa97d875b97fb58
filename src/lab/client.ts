/**
 * Somebody who connects. Run as `node client.js MODE [JSON]`; everything it prints is one JSON value a line.
 * `once Question` prints an Answer. `agent` reads `{id, question}` lines and prints `{id, answer}` lines.
 * `hold HoldOptions` prints HoldAnswers. `load LoadOptions` prints a LoadSummary at SIGTERM, or after `for` ms,
 * and with `eachSecond` one every second before.
 */
import { createInterface } from 'node:readline';
import { ask } from './ask.ts';
import type { Answer, Question } from './ask.ts';
import { hold } from './hold.ts';
import type { HoldOptions } from './hold.ts';
import { Load } from './load.ts';
import type { LoadOptions } from './load.ts';

export interface AgentRequest {
  readonly id: number;
  readonly question: Question;
}
export interface AgentAnswer {
  readonly id: number;
  readonly answer: Answer;
}
export interface LoadRun extends LoadOptions {
  /** Milliseconds; without it until SIGTERM. */
  readonly for?: number;
  readonly eachSecond?: boolean;
}

const print = (value: unknown, then?: () => void): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`, then);
};

function runAgent(): void {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, question } = JSON.parse(line) as AgentRequest;
    void ask(question).then((answer) => print({ id, answer } satisfies AgentAnswer));
  });
}

function runLoad(options: LoadRun): void {
  const load = new Load(options);
  if (options.eachSecond === true) setInterval(() => print(load.summary()), 1000);
  const finish = (): void => {
    void load.stop().then((summary) => print(summary, () => process.exit(0)));
  };
  process.once('SIGTERM', finish);
  if (options.for !== undefined) setTimeout(finish, options.for);
}

async function main(mode: string | undefined, json: string): Promise<void> {
  switch (mode) {
    case 'once':
      print(await ask(JSON.parse(json) as Question));
      break;
    case 'agent':
      runAgent();
      break;
    case 'hold':
      hold(JSON.parse(json) as HoldOptions, print);
      break;
    case 'load':
      runLoad(JSON.parse(json) as LoadRun);
      break;
    default:
      throw new Error(`"${mode ?? ''}" is no mode of this client: once, agent, hold or load`);
  }
}

await main(process.argv[2], process.argv[3] ?? '{}');

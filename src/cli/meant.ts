import { createInterface } from 'node:readline/promises';
import type { Context } from './context.ts';
import { failed, misused } from './failure.ts';
import { wrap } from './layout.ts';

/** Asks at a terminal whether this is meant; where there is none, `what` needs --yes. */
export async function mustBeMeant({ io, json, look }: Context, what: string, warning: string): Promise<void> {
  if (io.stdin?.isTTY !== true || io.stdout.isTTY !== true || json) {
    throw misused(`${what} without a terminal to ask at needs --yes.`);
  }
  io.stdout.write(`${wrap(warning, look).join('\n')}\nType "yes" to go on: `);
  if ((await readLine(io.stdin)).trim() !== 'yes') throw failed('Not confirmed: nothing was changed.');
}

/** One line; empty where the input ends before one. */
async function readLine(input: NodeJS.ReadableStream): Promise<string> {
  const lines = createInterface({ input });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
  }
}

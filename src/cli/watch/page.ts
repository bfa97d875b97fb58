import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../context.ts';
import { CLEAR_BELOW, CLEAR_LINE, ENTER, HOME, LEAVE } from './terminal.ts';

/** The same lines on the whole screen, made and drawn again every second until the signal ends it. */
export async function showOnScreen(
  context: Context,
  lines: () => Promise<string[]>,
  signal: AbortSignal,
): Promise<void> {
  const { stdout } = context.io;
  // What fails at once is told on the ordinary screen.
  let shown = await lines();
  stdout.write(ENTER);
  try {
    while (!signal.aborted) {
      const drawn = shown.slice(0, stdout.rows ?? 24).map((line) => line + CLEAR_LINE);
      stdout.write(`${HOME}${drawn.join('\r\n')}${CLEAR_BELOW}`);
      await sleep(1000, undefined, { signal });
      shown = await lines();
    }
  } catch (error) {
    if (!(error instanceof Error && error.name === 'AbortError')) throw error;
  } finally {
    stdout.write(LEAVE);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { cpuView } from '../../api/contract.ts';
import type { CpuView } from '../../api/contract.ts';
import type { Context } from '../context.ts';
import { untilInterrupted } from '../interrupt.ts';
import type { Shell } from '../shell.ts';
import { cpuLines } from '../view/cpu.ts';
import { showOnScreen } from '../watch/page.ts';

interface CpuOptions {
  readonly calibrate?: boolean;
  readonly watch?: boolean;
}

export function addCpu(shell: Shell): void {
  shell.program
    .command('cpu')
    .description('show what routing costs in CPU, by service and DomU, and how that was measured')
    .option('--calibrate', 'first measure anew what a plain bridge costs')
    .option('--watch', 'again every second, until Ctrl-C')
    .addHelpText(
      'after',
      "\nCPU is of one core, over the last interval; overhead is what of it a plain bridge would not have taken.\nA packet is what the kernel handles at once: up to 64 kB of a TCP stream.\n\nExamples:\n  director cpu\n  director cpu --watch\n  director cpu --json | jq '[.flows[].overheadShare] | add'",
    )
    .action(shell.run(cpu));
}

async function cpu(context: Context, options: CpuOptions): Promise<void> {
  if (options.calibrate === true) await context.client.post('/v1/cpu/calibrate', undefined);
  if (options.watch === true) {
    await untilInterrupted(context.io.signal, (signal) => watch(context, signal));
    return;
  }
  await context.show(await context.client.get('/v1/cpu'), cpuView, (view) =>
    context.say(cpuLines(view, context.look, context.now())),
  );
}

/** On a terminal one picture, drawn again; elsewhere one after another, for `--json` a line each. */
async function watch(context: Context, signal: AbortSignal): Promise<void> {
  const fetched = async (): Promise<CpuView> => (await context.client.get('/v1/cpu')).as(cpuView);
  const lines = async (): Promise<string[]> => cpuLines(await fetched(), context.look, context.now());
  if (context.look.tty && !context.json) {
    await showOnScreen(context, lines, signal);
    return;
  }
  while (!signal.aborted) {
    context.say(context.json ? [JSON.stringify(await fetched())] : [...(await lines()), '']);
    await sleep(1000, undefined, { signal }).catch(() => undefined);
  }
}

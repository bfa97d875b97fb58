import { Argument } from 'commander';
import { SCRIPTS } from '../completion-scripts.ts';
import type { Context } from '../context.ts';
import type { Shell } from '../shell.ts';

type ShellName = keyof typeof SCRIPTS;

export function addCompletion(shell: Shell): void {
  shell.program
    .command('completion')
    .description('print what makes a shell complete our commands, options and services')
    .addArgument(new Argument('<shell>', 'which one').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      '\nExamples:\n  director completion bash > /etc/bash_completion.d/director\n  director completion zsh > "${fpath[1]}/_director"\n  director completion fish > ~/.config/fish/completions/director.fish',
    )
    .action(shell.run(completion));
}

// eslint-disable-next-line @typescript-eslint/require-await -- every verb has the same shape
async function completion(context: Context, name: ShellName): Promise<void> {
  context.io.stdout.write(SCRIPTS[name]);
}

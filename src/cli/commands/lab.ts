import type { Context } from '../context.ts';
import type { Shell } from '../shell.ts';

export function addLab(shell: Shell): void {
  shell.program
    .command('lab')
    .description('play a whole Dom0 with guests and clients, in namespaces that leave no trace')
    .argument('[args...]', 'for the lab itself')
    .option('--tour', 'walk through a whole upgrade by itself')
    .addHelpText('after', '\nExample:\n  director lab --tour')
    .action(
      shell.run((context: Context, args: string[], options: { tour?: boolean }) =>
        context.local.lab({ tour: options.tour === true, args }),
      ),
    );
}

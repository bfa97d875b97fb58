import type { Context } from '../context.ts';
import type { Shell } from '../shell.ts';

export function addServe(shell: Shell): void {
  shell.program
    .command('serve')
    .description('run the daemon, in the foreground')
    .requiredOption('--config <file>', 'the configuration')
    .addHelpText(
      'after',
      '\nSIGHUP reloads; SIGTERM stops it and leaves the kernel as it is.\n\nExample:\n  director serve --config /etc/dom0-director/director.yaml',
    )
    .action(shell.run((context: Context, { config }: { config: string }) => context.local.serve({ config })));
}

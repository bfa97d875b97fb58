import { whoamiView } from '../../api/contract.ts';
import { parseAddressText } from '../arguments.ts';
import type { Context } from '../context.ts';
import { layout } from '../layout.ts';
import type { Shell } from '../shell.ts';

export function addWhoami(shell: Shell): void {
  shell.program
    .command('whoami')
    .description('show where a source address is directed to, and why')
    .option('--source <address>', 'this one; else your own', parseAddressText)
    .addHelpText('after', '\nExample:\n  director whoami --source 198.51.100.7')
    .action(shell.run(whoami));
}

async function whoami(context: Context, options: { source?: string }): Promise<void> {
  const query = options.source === undefined ? '' : `?source=${encodeURIComponent(options.source)}`;
  const { dim, bold, yellow } = context.look.colors;
  await context.show(await context.client.get(`/v1/whoami${query}`), whoamiView, ({ source, services }) => {
    const rows = services.map(({ service, domu, role, live, reason }) => [
      { texts: [service] as const, paint: bold },
      { texts: [domu] as const },
      { texts: [`${role}${live ? '' : ', dark'}`] as const, paint: live ? dim : yellow },
      { texts: [reason] as const },
    ]);
    const columns = [
      { title: 'SERVICE' },
      { title: 'DOMU' },
      { title: 'ROLE' },
      { title: 'WHY', least: 20, wraps: true as const },
    ];
    context.say([`${source ?? 'This host itself'} is directed to:`, ...layout(columns, rows, context.look)]);
  });
}

import { planView } from '../../api/contract.ts';
import type { PlanView } from '../../api/contract.ts';
import type { Context } from '../context.ts';
import { wrap } from '../layout.ts';
import type { Shell } from '../shell.ts';
import { count } from '../words.ts';

export function addPlan(shell: Shell): void {
  shell.program
    .command('plan')
    .description('show what the next reconcile would change, and why')
    .option('--rules', 'also what iptables-restore would be given')
    .addHelpText('after', '\nExample:\n  director plan --rules')
    .action(shell.run(plan));
}

async function plan(context: Context, options: { rules?: boolean }): Promise<void> {
  const answer = await context.client.get('/v1/plan');
  if (context.json) {
    context.printJson(answer.raw());
    return;
  }
  const view = answer.as(planView, { keepLines: true });
  context.say([...changeLines(view, context), ...(options.rules === true ? ruleLines(view, context) : [])]);
}

function changeLines({ changes }: PlanView, { look }: Context): string[] {
  if (changes.length === 0) return ['Nothing to change: the kernel holds what it should.'];
  const { dim } = look.colors;
  const width = Math.max(...changes.map(({ kind }) => kind.length));
  return [
    `${count(changes.length, 'change')}:`,
    ...changes.flatMap(({ kind, what, why }) => [
      `${kind.padEnd(width)}  ${what}`,
      ...wrap(`${' '.repeat(width + 2)}${why}`, look, width + 2).map(dim),
    ]),
  ];
}

function ruleLines({ restore }: PlanView, { look }: Context): string[] {
  const part = (tool: string, text: string): string[] =>
    text === '' ? [] : ['', look.colors.dim(`# ${tool}`), text.trimEnd()];
  return [...part('iptables-restore', restore.ipv4), ...part('ip6tables-restore', restore.ipv6)];
}

import { setTimeout } from 'node:timers/promises';
import { stageView } from '../api/contract.ts';
import type { StageView } from '../api/contract.ts';
import type { Answer } from './answer.ts';
import type { Context } from './context.ts';
import { failed } from './failure.ts';
import { stagePath } from './paths.ts';

/** Between two looks; milliseconds. */
const EVERY = 500;

/**
 * Looks at a stage until it has come to its end, and tells each step as it begins. Whoever interrupts it stops looking,
 * and nothing else: the daemon goes on.
 */
export async function followStage(context: Context, begun: Answer): Promise<Answer> {
  let answer = begun;
  let told = '';
  for (;;) {
    const view = answer.as(stageView);
    if (!context.json && view.doing !== told && isUnderWay(view)) context.tell([`  ${view.doing}`]);
    told = view.doing;
    if (!isUnderWay(view)) return answer;
    await setTimeout(EVERY);
    answer = await context.client.get(stagePath(view.id));
  }
}

const isUnderWay = ({ state }: StageView): boolean => state === 'staging' || state === 'unstaging';

/** What went wrong, where something did; else what `lines` makes of it. */
export function tellEnd(context: Context, answer: Answer, lines: (view: StageView) => string[]): void {
  const view = answer.as(stageView);
  if (view.state === 'failed') {
    throw failed(`${view.domu}: ${view.error ?? 'it failed'}. ${leftText(view)}`, {
      ...(view.hint === null ? {} : { hint: view.hint }),
    });
  }
  if (context.json) context.printJson(answer.raw());
  else context.tell(lines(view));
}

function leftText({ left }: StageView): string {
  return left.length === 0 ? 'Nothing is left of it.' : `What is left of it: ${left.join('; ')}.`;
}

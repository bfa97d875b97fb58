import axe from 'axe-core';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What axe-core finds against WCAG 2.2 AA: a line for each place, none where all is well. */
export async function faultsOf(page: Page): Promise<string[]> {
  // Over the debugger, since the page's own policy lets no foreign script in.
  await page.evaluate(axe.source);
  const results = await page.evaluate<AxeResults>(`axe.run(document, { runOnly: ${JSON.stringify(RULES)} })`);
  return results.violations.flatMap(({ id, impact, nodes }) =>
    nodes.map(
      ({ target, failureSummary }) => `${impact ?? ''} ${id}: ${target.join(' ')}: ${failureSummary ?? ''}`,
    ),
  );
}

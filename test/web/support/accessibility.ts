import axe from 'axe-core';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

/** What depends on the theme; all else is the same in both. */
const OF_COLOURS = ['color-contrast', 'link-in-text-block'];
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What axe-core finds against WCAG 2.2 AA: a line for each place, none where all is well. */
export async function faultsOf(page: Page, { onlyColours = false } = {}): Promise<string[]> {
  // Over the debugger, since the page's own policy lets no foreign script in.
  if (!(await page.evaluate<boolean>("'axe' in window"))) await page.evaluate(axe.source);
  const options = {
    runOnly: onlyColours ? { type: 'rule', values: OF_COLOURS } : RULES,
    resultTypes: ['violations'],
  };
  const results = await page.evaluate<AxeResults>(`axe.run(document, ${JSON.stringify(options)})`);
  return results.violations.flatMap(({ id, impact, nodes }) =>
    nodes.map(
      ({ target, failureSummary }) => `${impact ?? ''} ${id}: ${target.join(' ')}: ${failureSummary ?? ''}`,
    ),
  );
}

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { faultsOf } from './support/accessibility.ts';
import { openPage } from './support/browser.ts';
import { PAGE_STATES, setTheStage, STAGE_SERVICES } from './support/page-states.ts';
import { webWorld } from './support/web-world.ts';
import type { WebWorld } from './support/web-world.ts';

const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const;

let web: WebWorld;
let browser: Browser;
beforeAll(async () => {
  web = await webWorld({ services: STAGE_SERVICES });
  browser = await web.browser('customer');
}, 120_000);
afterAll(() => web.end());

test('axe finds nothing in any state of the page, light and dark, on a desk and on a phone', async () => {
  await setTheStage(web);
  const page = await openPage(browser, { viewport: SIZES.desktop, reducedMotion: 'reduce' });
  const faults: string[] = [];
  for (const { name, show } of PAGE_STATES) {
    await show(page, web);
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const found = await faultsOf(page, { onlyColours: colorScheme === 'dark' });
        faults.push(...found.map((fault) => `${name}, ${size}, ${colorScheme}: ${fault}`));
      }
    }
    await page.setViewportSize(SIZES.desktop);
  }
  expect(faults).toEqual([]);
}, 180_000);

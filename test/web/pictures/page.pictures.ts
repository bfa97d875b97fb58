import { afterAll, beforeAll, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { openPage, signIn } from '../support/browser.ts';
import { webWorld } from '../support/web-world.ts';
import type { WebWorld } from '../support/web-world.ts';

const DIRECTORY = process.env['PICTURES'] ?? 'src/web/pictures';
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const;
const THEMES = ['light', 'dark'] as const;

let web: WebWorld;
let browser: Browser;
beforeAll(async () => {
  web = await webWorld({ services: 9 });
  browser = await web.browser('customer');
});
afterAll(() => web.end());

type Size = keyof typeof SIZES;

/** One picture in each theme. */
async function pictures(
  name: string,
  path: string,
  size: Size,
  prepare: (page: Page) => Promise<void>,
): Promise<void> {
  const page = await openPage(browser, { path, viewport: SIZES[size], reducedMotion: 'reduce' });
  await prepare(page);
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme });
    await page.screenshot({ path: `${DIRECTORY}/${name}-${size}-${theme}.png` });
  }
  await page.context().close();
}

const nothing = (): Promise<void> => Promise.resolve();
const seconds = (count: number) => (page: Page) => page.waitForTimeout(count * 1000);

test('the pictures of the README', async () => {
  const { world, daemon } = web;
  const load = world.startLoad('customer', { host: 'mail', port: 8000, workers: 2 });
  const holds = Array.from({ length: 24 }, () =>
    world.hold('customer', { host: 'mail', port: 25, every: 200 }),
  );
  const tests = Array.from({ length: 3 }, () =>
    world.hold('tester', { host: 'mail', port: 993, every: 500 }),
  );
  for (const name of ['ldap', 'svc-3', 'svc-5', 'svc-8'])
    holds.push(
      ...Array.from({ length: 6 }, () => world.hold('customer', { host: name, port: 389, every: 500 })),
    );
  await daemon.call('PUT', '/v1/services/svc-5/testing', { state: 'closed' });
  await web.world.exec('svc-7-b', ['ip', 'link', 'set', 'lo', 'down']);
  const other = await openPage(browser);
  await other.waitForTimeout(12_000);

  await pictures('switch', '/services/mail', 'desktop', async (page) => {
    await signIn(page, web.tokens.alice);
    await page.getByRole('button', { name: /^Switch to/ }).click();
    await page.locator('.consequences').waitFor();
    await page.getByLabel('Why, for the journal').fill('mail 2.0');
  });
  await pictures('test', '/test', 'desktop', seconds(1));
  await pictures('test', '/test', 'phone', seconds(1));
  await daemon.call('POST', '/v1/switches', {
    services: ['mail', 'ldap'],
    to: 'secondary',
    confirmWithin: '10m',
    reason: 'mail 2.0',
  });
  for (const hold of holds.splice(0, 15)) await hold.stop();
  await daemon.call('POST', '/v1/services/svc-9/hold', { for: '2m' });
  await other.waitForTimeout(7000);
  await pictures('overview', '/', 'desktop', seconds(1));
  await pictures('overview', '/', 'phone', seconds(1));
  await pictures('service', '/services/mail', 'desktop', seconds(4));
  await pictures('service', '/services/mail', 'phone', seconds(4));
  await pictures('journal', '/journal', 'desktop', nothing);
  await Promise.all([load.stop(), ...[...holds, ...tests].map((hold) => hold.stop())]);
});

import { mkdir, writeFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';
import { openPage, signIn } from '../support/browser.ts';
import { webWorld } from '../support/web-world.ts';
import type { WebWorld } from '../support/web-world.ts';
import { paletted } from './palette-png.ts';

const DIRECTORY = process.env['PICTURES'] ?? 'src/web/pictures';
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const;
const THEMES = ['light', 'dark'] as const;
/** So long the charts have had something to draw. Milliseconds. */
const HISTORY = 75_000;

let web: WebWorld;
let browser: Browser;
beforeAll(async () => {
  web = await webWorld({ services: 9 });
  browser = await web.browser('customer');
  await mkdir(DIRECTORY, { recursive: true });
});
afterAll(() => web.end());

type Size = keyof typeof SIZES;
type Prepare = (page: Page) => Promise<unknown>;

/** One picture in each theme. */
async function pictures(name: string, path: string, size: Size, prepare: Prepare): Promise<void> {
  const page = await openPage(browser, { path, viewport: SIZES[size], reducedMotion: 'reduce' });
  await prepare(page);
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme });
    const file = `${DIRECTORY}/${name}-${size}-${theme}.png`;
    await writeFile(file, paletted(await page.screenshot()));
  }
  await page.context().close();
}

const afterwards =
  (seconds: number): Prepare =>
  (page) =>
    page.waitForTimeout(seconds * 1000);

/** Customers who stay connected, some who come and go, testers, and one guest that has died. */
async function liveliness(): Promise<{ drain: () => Promise<void>; end: () => Promise<unknown> }> {
  const { world, daemon } = web;
  const load = world.startLoad('customer', { host: 'mail', port: 8000, workers: 2, pause: 5 });
  const hold = (client: string, host: string, port: number, count: number) =>
    Array.from({ length: count }, () => world.hold(client, { host, port, every: 300 }));
  const leaving = hold('customer', 'mail', 25, 15);
  const staying = [
    ...hold('customer', 'mail', 25, 9),
    ...hold('tester', 'mail', 993, 3),
    ...['ldap', 'svc-3', 'svc-6', 'svc-8'].flatMap((name, i) => hold('customer', name, 389, 4 + i * 3)),
  ];
  await daemon.call('PUT', '/v1/services/svc-6/testing', { state: 'closed' });
  const watching = await openPage(browser);
  await watching.waitForTimeout(HISTORY);
  return {
    drain: async () => {
      for (const one of leaving.splice(0, 10)) await one.stop();
    },
    end: () => Promise.all([load.stop(), ...[...leaving, ...staying].map((one) => one.stop())]),
  };
}

test('the pictures of the README', async () => {
  const { world, daemon } = web;
  const { drain, end } = await liveliness();
  await pictures('switch', '/services/mail', 'desktop', async (page) => {
    await signIn(page, web.tokens.alice);
    await page.getByRole('button', { name: /^Switch to/ }).click();
    await page.locator('.consequences').waitFor();
    await page.getByLabel('Why, for the journal').fill('mail 2.0');
  });
  await pictures('test', '/test', 'phone', (page) => page.locator('.tests').waitFor());

  // A guest that is there, but on which nothing listens any more.
  await world.must('dom0', ['ip', 'link', 'set', world.domu('svc-4-b').vif, 'down']);
  await daemon.call('POST', '/v1/services/svc-9/hold', { for: '3m' });
  const operator = await openPage(browser, { path: '/services/mail' });
  await signIn(operator, web.tokens.alice);
  await operator.getByRole('button', { name: /^Switch to/ }).click();
  await operator.getByLabel('Why, for the journal').fill('mail 2.0');
  await operator.getByRole('button', { name: 'Move everybody to mail-b' }).click();
  await operator.getByRole('region', { name: 'Trials' }).waitFor();
  await operator.context().close();
  await drain();
  await pictures('service', '/services/mail', 'desktop', afterwards(8));
  await pictures('overview', '/', 'desktop', afterwards(1));
  await pictures('overview', '/', 'phone', afterwards(1));
  await end();
});

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { editConfig } from '../e2e/support/edit-config.ts';
import { errorsOf, openPage } from './support/browser.ts';
import { webWorld } from './support/web-world.ts';
import type { WebWorld } from './support/web-world.ts';

const MANY = 500;

let web: WebWorld;
let browser: Browser;
beforeAll(async () => {
  web = await webWorld({ services: 1, top: { cpu: { meter: 'off' } } });
  await editConfig(web.daemon.configFile, (config) => {
    for (let n = 1; n < MANY; n++) config.services[`svc-${n}`] = definition(n);
  });
  const reloaded = await web.daemon.call('POST', '/v1/reload');
  expect(reloaded).toMatchObject({ status: 204 });
  browser = await web.browser('customer');
}, 180_000);
afterAll(() => web.end());

/** Guests that nobody has started: 500 of them are for the page, not for the kernel. */
function definition(n: number): Record<string, unknown> {
  const net = `10.${100 + (n >> 8)}.${n & 255}`;
  return {
    addresses: [`172.20.${n >> 8}.${n & 255}`.replace(/\.0$/, '.254')],
    announce: false,
    ports: ['443/tcp'],
    bridge: { name: `br-svc-${n}`, gateway: [`${net}.1/24`] },
    domus: [
      { name: `svc-${n}-a`, addresses: [`${net}.2`] },
      { name: `svc-${n}-b`, addresses: [`${net}.3`] },
    ],
    health: { check: 'off' },
  };
}

const rows = (page: Page) => page.locator('.rows > li');
const sizes = (page: Page) =>
  page.evaluate<[number, number]>('[document.documentElement.scrollHeight, innerHeight]');

test('500 services: only what is near the window exists, all can be scrolled to, searched and filtered', async () => {
  const page = await openPage(browser);
  await page.getByText('500 services').waitFor();
  expect(await rows(page).count()).toBeLessThan(40);
  const [height, seen] = await sizes(page);
  expect(height).toBeGreaterThan(seen * 20);
  expect(await rows(page).first().getAttribute('aria-setsize')).toBe('500');

  await page.keyboard.press('End');
  await page.getByRole('link', { name: 'svc-499', exact: true }).waitFor();
  expect(await rows(page).count()).toBeLessThan(40);
  await page.keyboard.press('Home');

  await page.getByLabel('Search by name').fill('svc-250');
  await page.getByRole('link', { name: 'svc-250', exact: true }).waitFor();
  expect(await rows(page).count()).toBe(1);
  await page.getByLabel('Search by name').fill('');
  expect(errorsOf(page)).toEqual([]);
  await page.context().close();
});

test('where the meter is off nothing is said of costs', async () => {
  const page = await openPage(browser);
  const answer = page.waitForResponse((response) => new URL(response.url()).pathname === '/v1/cpu');
  await page.reload();
  expect((await answer).status()).toBe(200);
  await page.getByText('500 services').waitFor();
  expect(await page.getByText('Directing takes').count()).toBe(0);
  expect(errorsOf(page)).toEqual([]);
  await page.context().close();
});

test('a change is seen at once, comes to the top, and 500 services are not asked for with each event', async () => {
  const page = await openPage(browser);
  await page.getByText('500 services').waitFor();
  const whole: string[] = [];
  page.on('request', (request) => {
    if (new URL(request.url()).pathname === '/v1/services') whole.push(request.url());
  });
  const began = Date.now();
  const held = Array.from({ length: 6 }, (_, n) => `/v1/services/svc-${300 + n}/hold`);
  for (const path of held) await web.daemon.call('POST', path, { for: '5m' });
  await page.getByText('6 in trouble').waitFor();
  expect(await rows(page).first().innerText()).toContain('Held');
  const seconds = (Date.now() - began) / 1000;
  // One each second at the most, and one that is always due.
  expect(whole.length).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
  for (const path of held) await web.daemon.call('DELETE', path);
  await page.getByText('none in trouble').waitFor();
  await page.context().close();
}, 90_000);

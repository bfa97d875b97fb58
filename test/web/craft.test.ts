import type { Browser, Response } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServiceView } from '../../src/api/contract.ts';
import { errorsOf, openPage } from './support/browser.ts';
import { visit as show } from './support/page-states.ts';
import { ORIGIN, webWorld } from './support/web-world.ts';
import type { WebWorld } from './support/web-world.ts';

let web: WebWorld;
let browser: Browser;
beforeAll(async () => {
  web = await webWorld();
  browser = await web.browser('customer');
  await web.daemon.call('POST', '/v1/switches', {
    services: ['mail'],
    to: 'secondary',
    reason: 'seen by all',
  });
}, 120_000);
afterAll(() => web.end());

const VIEWS = ['/', '/services/mail', '/services/ldap', '/journal', '/test'];
const PHONE = { width: 390, height: 844 };

test('on a phone nothing is wider than it, and the two buttons of a trial are under the thumb', async () => {
  const page = await openPage(browser, { viewport: PHONE, isMobile: true, hasTouch: true });
  for (const path of VIEWS) {
    await show(page, path);
    const [wide, seen] = await page.evaluate<[number, number]>(
      '[document.documentElement.scrollWidth, innerWidth]',
    );
    expect(wide, path).toBeLessThanOrEqual(seen);
  }
  await show(page, '/');
  for (const name of [/^Keep it/, /^Go back/]) {
    const box = await page.getByRole('button', { name }).boundingBox();
    expect(box!.height).toBeGreaterThanOrEqual(44);
    expect(box!.y).toBeGreaterThan(PHONE.height / 2);
    expect(box!.y + box!.height).toBeLessThanOrEqual(PHONE.height);
  }
  await page.context().close();
});

test('everything comes from the daemon, under the strictest policy, and is less than 100 kB to begin with', async () => {
  const page = await openPage(browser);
  const answers: Response[] = [];
  page.on('response', (answer) => answers.push(answer));
  await page.reload();
  await page.locator('.rows').waitFor();
  expect(
    answers
      .map((answer) => new URL(answer.url()).origin)
      .filter((origin) => origin !== ORIGIN && origin !== 'null'),
  ).toEqual([]);
  const policy =
    (await answers.find((answer) => answer.request().isNavigationRequest())!.allHeaders())[
      'content-security-policy'
    ] ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'");
  for (const none of ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"])
    expect(policy).toContain(none);
  expect(policy).not.toContain('unsafe');
  const files = answers.filter((answer) =>
    ['document', 'script', 'stylesheet'].includes(answer.request().resourceType()),
  );
  const sizes = await Promise.all(
    files.map(async (answer) => Number((await answer.allHeaders())['content-length'])),
  );
  expect(files).toHaveLength(3);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(100_000);
  expect(errorsOf(page)).toEqual([]);
  await page.context().close();
});

test('nothing jumps while it fills and lives', async () => {
  const page = await openPage(browser);
  await page.addInitScript(`
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput, sources } of list.getEntries())
        if (!hadRecentInput) window.shifts.push([value, sources.map(({ node }) => node?.className ?? String(node)).join(' | ')]);
    }).observe({ type: 'layout-shift', buffered: true });
  `);
  for (const path of VIEWS) {
    await show(page, path);
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 1500))');
    const shifts = await page.evaluate<[number, string][]>('window.shifts');
    const sum = shifts.reduce((total, [value]) => total + value, 0);
    expect(sum, `${path}: ${JSON.stringify(shifts)}`).toBeLessThan(0.1);
  }
  await page.context().close();
});

/** A host of Xen, as src/api/contract.ts tells of one. */
const DOMAINS = {
  primary: { name: 'mail-a', domid: 3, state: 'running', since: '2026-11-23T09:00:00.000Z' },
  secondary: { name: 'mail-b', domid: null, state: 'absent', since: '2026-11-23T10:15:00.000Z' },
} as const;

test('where Xen tells how a DomU is, its card does', async () => {
  const page = await openPage(browser);
  const views = (await web.daemon.call('GET', '/v1/services')).body as ServiceView[];
  const mail = views.find(({ name }) => name === 'mail')!;
  for (const role of ['primary', 'secondary'] as const) Object.assign(mail[role], { domain: DOMAINS[role] });
  await page.route('**/v1/services', (route) => route.fulfill({ json: views }));
  await page.route('**/v1/services/mail', (route) => route.fulfill({ json: mail }));
  await page.goto(new URL('/services/mail', ORIGIN).href);
  await expect
    .poll(() => page.locator('.domu-card dd').allTextContents())
    .toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^mail-a \(3\), running$/),
        expect.stringMatching(/^mail-b, Xen has none since /),
      ]),
    );
  await page.context().close();
});

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/api/contract.ts';
import { startRelay } from '../../src/lab/relay.ts';
import { browserIn, errorsOf, eventually, openPage } from './support/browser.ts';
import { webWorld } from './support/web-world.ts';
import type { WebWorld } from './support/web-world.ts';

let web: WebWorld;
let browser: Browser;
beforeAll(async () => {
  web = await webWorld();
  browser = await web.browser('customer');
}, 120_000);
afterAll(() => web.end());

const card = (page: Page, name: string) => page.getByRole('article', { name });
const reaches = (client: string, domu: string): Promise<void> =>
  eventually(
    () => web.world.ask(client, { host: 'mail', port: 25 }),
    (answer) => expect(answer).toMatchObject({ domu }),
  );

test('QA sees which version they are on, puts themselves on the new one, reaches it, and leaves it', async () => {
  const page = await openPage(browser, { path: '/test' });
  await page.getByRole('heading', { name: 'You are 198.51.100.20' }).waitFor();
  const mail = card(page, 'mail');
  await mail.getByText('You are on the old version (mail-a)').waitFor();
  await reaches('customer', 'mail-a');

  await mail.getByLabel('for').selectOption('2h');
  await mail.getByRole('button', { name: 'Test the new version of mail' }).click();
  await mail.getByText('You are on the new version (mail-b)').waitFor();
  await reaches('customer', 'mail-b');
  await reaches('neighbour', 'mail-a');
  await mail.getByRole('button', { name: 'Ask both what they say' }).click();
  await mail.getByText('mail-b 2.0 you are').first().waitFor();

  const { body } = await web.daemon.call('GET', '/v1/journal?limit=1');
  expect((body as JournalEntry[])[0]).toMatchObject({ kind: 'tester-add', by: 'qa 198.51.100.20' });
  await mail.getByRole('button', { name: 'Stop testing mail' }).click();
  await mail.getByText('You are on the old version (mail-a)').waitFor();
  await reaches('customer', 'mail-a');
  expect(errorsOf(page)).toEqual([]);
  await page.context().close();
});

test('what is not open for testing says so and why, as soon as it is closed', async () => {
  const page = await openPage(browser, { path: '/test' });
  const ldap = card(page, 'ldap');
  await ldap.getByRole('button', { name: /^Test the new version/ }).waitFor();
  await web.daemon.call('PUT', '/v1/services/ldap/testing', { state: 'closed' });
  await ldap.getByText('Not open for testing now').waitFor();
  await ldap.getByText('everybody has').waitFor();
  expect(await ldap.getByRole('button', { name: /^Test the new version/ }).count()).toBe(0);
  await web.daemon.call('PUT', '/v1/services/ldap/testing', { state: 'open' });
  await ldap.getByRole('button', { name: /^Test the new version/ }).waitFor();
  await page.context().close();
});

test('who comes from elsewhere, or is a tester for good, is told so', async () => {
  const tester = await web.browser('tester');
  const page = await openPage(tester, { path: '/test' });
  await page.getByRole('heading', { name: 'You are 198.51.100.7' }).waitFor();
  await card(page, 'mail').getByText('You are on the new version (mail-b)').waitFor();
  await card(page, 'mail').getByText('one of its testers for good').waitFor();
  await tester.close();
  const admin = await web.browser('admin');
  const other = await openPage(admin, { path: '/test' });
  await other.getByText('10.9.0.5 is in none of the networks').waitFor();
  expect(await other.getByRole('button', { name: /^Test the new version/ }).count()).toBe(0);
  await admin.close();
});

test('behind a relay the page says that it cannot know who one is, and enrols nobody', async () => {
  const relay = await startRelay(18_440, web.daemon.socket);
  const local = await browserIn(null, web.directory);
  try {
    const page = await openPage(local, { origin: `http://127.0.0.1:${relay.port}`, path: '/test' });
    await page.getByText('It cannot be known who you are').waitFor();
    expect(await page.getByRole('button', { name: /^Test the new version/ }).count()).toBe(0);
    await page.getByRole('link', { name: 'Services' }).click();
    await page.getByText('No token needed here').waitFor();
  } finally {
    await local.close();
    await relay.close();
  }
});

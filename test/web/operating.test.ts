import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ServiceView } from '../../src/api/contract.ts';
import { errorsOf, eventually, giveToken, openPage, signIn } from './support/browser.ts';
import type { OpenOptions } from './support/browser.ts';
import { webWorld } from './support/web-world.ts';
import type { WebWorld } from './support/web-world.ts';

let web: WebWorld;
let browser: Browser;
beforeAll(async () => {
  web = await webWorld();
  browser = await web.browser('admin');
}, 120_000);
afterAll(() => web.end());

const opened: Page[] = [];
afterEach(async () => {
  for (const page of opened.splice(0)) await page.context().close();
  await settle();
});

async function open(options: OpenOptions = {}): Promise<Page> {
  const page = await openPage(browser, options);
  opened.push(page);
  return page;
}

async function settle(): Promise<void> {
  const { body } = await web.daemon.call('GET', '/v1/services');
  const ids = new Set((body as ServiceView[]).flatMap(({ switch: trial }) => trial?.id ?? []));
  for (const id of ids) await web.daemon.call('POST', `/v1/switches/${id}/rollback`, {});
}

const trialOf = (page: Page): Locator => page.getByRole('region', { name: 'Trials' });
const reaches = (client: string, service: string, domu: string): Promise<void> =>
  eventually(
    () => web.world.ask(client, { host: service, port: service === 'mail' ? 25 : 389 }),
    (answer) => expect(answer).toMatchObject({ domu, error: null }),
  );

/** From the service's page: the dialog, what it says, and the one button. */
async function switchByClicks(page: Page, target: string): Promise<string> {
  await page.getByRole('button', { name: `Switch to ${target}…` }).click();
  const dialog = page.getByRole('dialog', { name: /^Switch / });
  await dialog.getByText(`Every new connection goes to ${target}`).waitFor();
  const words = await dialog.innerText();
  await dialog.getByLabel('Why, for the journal').fill('by clicks');
  await dialog.getByRole('button', { name: `Move everybody to ${target}` }).click();
  await trialOf(page).waitFor();
  return words;
}

test('a whole cutover by clicks: plan, trial, back, again, kept; and no customer fails meanwhile', async () => {
  const load = web.world.startLoad('customer', { host: 'mail', port: 8000, workers: 2, pause: 20 });
  const held = web.world.hold('customer', { host: 'mail', port: 25 });
  await held.next();
  const page = await open();
  await signIn(page, web.tokens.alice);
  await page.getByRole('link', { name: 'mail', exact: true }).click();

  const words = await switchByClicks(page, 'mail-b');
  expect(words).toMatch(
    /\d+ open connections? stays? on mail-a until (it ends|they end), 5 minutes at the most/,
  );
  expect(words).toMatch(/Unless somebody keeps it by .* \(10 minutes\), everybody goes back by itself/);
  await reaches('customer', 'mail', 'mail-b');
  expect((await held.next()).text).toContain('mail-a');
  const said = await trialOf(page).innerText();
  expect(said).toMatch(/flipped in [\d.]+ (µs|ms), IPv4 and IPv6 in the same message/);
  expect(said).toContain('alice');
  expect(said).toContain('by clicks');
  expect(said).toMatch(/1 connection drains on mail-a, cut at [\d:]+/);

  await trialOf(page).getByRole('button', { name: 'Go back: mail' }).click();
  await trialOf(page).waitFor({ state: 'detached' });
  await reaches('customer', 'mail', 'mail-a');

  await switchByClicks(page, 'mail-b');
  await reaches('customer', 'mail', 'mail-b');
  await trialOf(page).getByRole('button', { name: 'Keep it: mail' }).click();
  await trialOf(page).waitFor({ state: 'detached' });
  await page.getByText('everybody is treated alike').waitFor();
  // What was open before stays until it ends, and that is said for as long as it does.
  await page.getByText(/drains until [\d:]+/).waitFor();
  const old = page.locator('.domu-card', { hasText: 'mail-a' });
  expect(await old.innerText()).toMatch(/1 connection from before the switch, cut at\s+[\d:]+/);
  await reaches('customer', 'mail', 'mail-b');
  expect(await web.daemon.service('mail')).toMatchObject({ phase: 'settled', primary: { domu: 'mail-b' } });

  await held.stop();
  await old.getByText('from before the switch').waitFor({ state: 'detached' });
  const { failures, byDomu } = await load.stop();
  expect(failures).toEqual({});
  expect(Object.keys(byDomu).toSorted()).toEqual(['mail-a', 'mail-b']);
  expect(errorsOf(page)).toEqual([]);
});

test('what directing costs is told for a service, and for all together', async () => {
  const load = web.world.startLoad('customer', { host: 'ldap', port: 8000, workers: 1, pause: 10 });
  const page = await open();
  await page.getByText(/Directing takes [\d.]+ % of a core/).waitFor();
  await page.getByRole('link', { name: 'ldap', exact: true }).click();
  const costs = page.getByRole('region', { name: 'What directing it costs' });
  await costs.getByRole('row', { name: /^ldap-a [\d,]+ [\d.]+ % [\d.]+ %/ }).waitFor();
  expect(await costs.getByRole('row').allInnerTexts()).toHaveLength(3);
  await load.stop();
});

test('what somebody else changes is shown with when it was put back, and nobody asks for a plan', async () => {
  const page = await open();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await web.world.must('dom0', ['iptables', '-t', 'nat', '-F', 'DIR-ldap']);
  const row = page.locator('.row', { hasText: 'ldap' });
  await row.getByText(/somebody changed its rules; put back at [\d:]+/).waitFor();
  expect(await page.locator('.row', { hasText: 'mail' }).innerText()).not.toMatch(/drift/i);
  expect(asked).not.toContain('/v1/plan');
});

test('services that are ticked are switched together, and go back together', async () => {
  const page = await open();
  await signIn(page, web.tokens.alice);
  const { secondary } = await web.daemon.service('mail');
  for (const name of ['mail', 'ldap']) await page.getByRole('checkbox', { name: `Tick ${name},` }).check();
  await page.getByRole('button', { name: 'Switch them together…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Switch mail and ldap' });
  await dialog.getByText('all services in the same instant').waitFor();
  await dialog.getByRole('button', { name: 'Move everybody, 2 services' }).click();
  await trialOf(page).getByRole('heading', { name: 'mail and ldap' }).waitFor();
  await reaches('customer', 'mail', secondary.domu);
  await reaches('customer', 'ldap', 'ldap-b');
  await trialOf(page)
    .getByRole('button', { name: /^Go back/ })
    .click();
  await trialOf(page).waitFor({ state: 'detached' });
  await reaches('customer', 'ldap', 'ldap-a');
});

test('what another operator does appears at once, with a name', async () => {
  const [alices, bobs] = [await open(), await open({ path: '/services/ldap' })];
  await signIn(alices, web.tokens.alice);
  await signIn(bobs, web.tokens.bob);
  await switchByClicks(bobs, 'ldap-b');
  await trialOf(alices).getByText('bob').waitFor();
  await alices.getByRole('log').getByText('ldap goes to ldap-b').waitFor();
  // Whoever sees it can also end it.
  await trialOf(alices).getByRole('button', { name: 'Go back: ldap' }).click();
  await bobs.getByRole('log').getByText('alice:').waitFor();
  await trialOf(bobs).waitFor({ state: 'detached' });
});

test('from signing in to going back by the keyboard alone', async () => {
  const page = await open({ path: '/services/ldap' });
  const focus = async (name: string | RegExp): Promise<void> => {
    const wanted = page.getByRole('button', { name });
    await wanted.first().waitFor();
    for (let i = 0; i < 60; i++) {
      if ((await wanted.and(page.locator(':focus')).count()) > 0) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`Tab never reaches "${String(name)}"`);
  };
  await focus('Switch to ldap-b…');
  await page.keyboard.press('Enter');
  // Who is not signed in is asked to, and then goes on.
  await page.getByRole('dialog', { name: 'Sign in with a token' }).waitFor();
  await page.keyboard.type(web.tokens.alice);
  await page.keyboard.press('Enter');
  await page.getByText('Every new connection goes to ldap-b').waitFor();
  await focus('Move everybody to ldap-b');
  await page.keyboard.press('Enter');
  await trialOf(page).waitFor();
  await reaches('customer', 'ldap', 'ldap-b');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await focus(/^Go back/);
  await page.keyboard.press('Space');
  await trialOf(page).waitFor({ state: 'detached' });
  await reaches('customer', 'ldap', 'ldap-a');
});

test('a token that is none is refused with what to do; one that is right stays in this tab and out of every address', async () => {
  const page = await open();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.getByRole('button', { name: 'Sign in' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Token').fill('wrong');
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.getByText('none of those in the configuration').waitFor();
  await giveToken(page, web.tokens.alice);
  await page.reload();
  await page.getByText('alice').waitFor();
  expect(asked.filter((url) => url.includes(web.tokens.alice))).toEqual([]);
  expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain(web.tokens.alice);
  const fresh = await page.context().newPage();
  await fresh.goto(page.url());
  await fresh.getByRole('button', { name: 'Sign in' }).waitFor();
});

test('the page says that the daemon is gone, and comes back by itself', async () => {
  const page = await open();
  await page.evaluate('window.sameDocument = true');
  await web.daemon.kill();
  await page.getByText('The director does not answer').waitFor();
  await page.getByText('Not connected').waitFor();
  await reaches('customer', 'ldap', 'ldap-a');
  await web.daemon.start();
  await page.locator('.liveness.live').waitFor();
  await page.getByText('The director does not answer').waitFor({ state: 'detached' });
  expect(await page.evaluate('window.sameDocument')).toBe(true);
  await web.daemon.call('POST', '/v1/services/ldap/hold', { for: '20s' });
  await page.getByText('packets wait').waitFor();
  await web.daemon.call('DELETE', '/v1/services/ldap/hold');
  await page.getByText('packets wait').waitFor({ state: 'detached' });
});

test('the rules are shown as the kernel has them, and what both DomUs say', async () => {
  const page = await open({ path: '/services/ldap' });
  await page.getByText('The rules, as they are in the kernel').click();
  await page.getByText('-A DIR-ldap -g DIR-ldap.a').first().waitFor();
  const inKernel = await web.world.must('dom0', ['iptables', '-t', 'nat', '-S', 'DIR-ldap.b']);
  const shown = await page.locator('.rules').innerText();
  for (const line of inKernel.trim().split('\n').slice(1)) expect(shown).toContain(line);
  await page.getByRole('button', { name: 'Ask both what they say' }).click();
  await page.getByText('ldap-a 1.0 you are').first().waitFor();
  await page.getByText('ldap-b 2.0 you are').first().waitFor();
});

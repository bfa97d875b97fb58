import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { giveToken } from './browser.ts';
import { ORIGIN } from './origin.ts';
import type { WebWorld } from './web-world.ts';

/** What the stage below needs. */
export const STAGE_SERVICES = 4;

/** mail is on trial, and a connection drains; ldap is held; svc-3 was kept, and still drains; svc-4's spare is down. */
export async function setTheStage({ world, daemon }: WebWorld): Promise<void> {
  const held = [
    world.hold('customer', { host: 'mail', port: 25 }),
    world.hold('customer', { host: 'svc-3', port: 389 }),
  ];
  for (const connection of held) await connection.next();
  for (const name of ['mail', 'svc-3'])
    await daemon.call('POST', '/v1/switches', { services: [name], to: 'secondary' });
  const { switch: trial } = await daemon.service('svc-3');
  await daemon.call('POST', `/v1/switches/${trial?.id ?? ''}/confirm`, {});
  await daemon.call('POST', '/v1/services/ldap/hold', { for: '10m' });
  await world.must('dom0', ['ip', 'link', 'set', world.domu('svc-4-b').vif, 'down']);
  for (const name of ['mail', 'svc-3'])
    await expect.poll(async () => (await daemon.service(name)).draining, { timeout: 20_000 }).not.toBeNull();
  await expect
    .poll(async () => (await daemon.service('svc-4')).secondary.health, { timeout: 20_000 })
    .toBe('unhealthy');
}

export interface PageState {
  readonly name: string;
  /** Brings a page that is open into it; `page` has just been used for another one. */
  readonly show: (page: Page, web: WebWorld) => Promise<unknown>;
}

/** All that the page can look like. The last one ends the daemon. */
export const PAGE_STATES: readonly PageState[] = [
  { name: 'overview', show: (page) => visit(page, '/') },
  { name: 'overview, searched in vain', show: searchInVain },
  { name: 'overview, ticked', show: tick },
  { name: 'overview, unready', show: unready },
  { name: 'service, on trial', show: (page) => visit(page, '/services/mail') },
  { name: 'service, held', show: (page) => visit(page, '/services/ldap') },
  { name: 'service, kept and draining, with all that opens', show: openAll },
  { name: 'service that is none', show: (page) => visit(page, '/services/nothing') },
  { name: 'journal', show: (page) => visit(page, '/journal') },
  { name: 'test', show: askBoth },
  { name: 'sign-in, refused', show: signInWrongly },
  { name: 'switch, to one that is down', show: prepareSwitch },
  { name: 'connection lost', show: lose },
];

/** With everything in it that comes after the first paint. */
export async function visit(page: Page, path: string): Promise<void> {
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await load(page, path);
}

async function load(page: Page, path: string): Promise<void> {
  await page.goto(new URL(path, ORIGIN).href);
  await page.locator('.liveness.live').waitFor();
  await page.locator('.rows, .way, .journal, .tests, .page-head a').first().waitFor();
}

async function searchInVain(page: Page): Promise<void> {
  await page.getByLabel('Search by name').fill('none is called so');
  await page.getByText('No service is like that').waitFor();
}

async function tick(page: Page): Promise<void> {
  await visit(page, '/');
  await page.getByRole('checkbox', { name: 'Tick svc-4,' }).check();
  await page.getByRole('button', { name: 'Switch it…' }).waitFor();
}

/** What a director says that cannot put back what somebody changed. */
async function unready(page: Page): Promise<void> {
  const ready = {
    ready: false,
    problems: ['iptables-restore (ip6tables) exited with 4: somebody holds the lock'],
    since: new Date().toISOString(),
  };
  const plan = { changes: [], services: ['svc-3'], restore: { ipv4: '', ipv6: '' } };
  await page.route('**/readyz', (route) => route.fulfill({ status: 503, json: ready }));
  await page.route('**/v1/plan', (route) => route.fulfill({ json: plan }));
  await load(page, '/');
  await page.getByText('The kernel is not as it should be').waitFor();
  await page.locator('.row', { hasText: 'svc-3' }).getByText('Drift').waitFor();
}

async function openAll(page: Page): Promise<void> {
  await visit(page, '/services/svc-3');
  await page.getByText('from before the switch').waitFor();
  await page.getByText('The rules, as they are in the kernel').click();
  await page.getByText('-A DIR-svc-3').first().waitFor();
  await page.getByRole('button', { name: 'Ask both what they say' }).click();
  await page.locator('.said').waitFor();
}

async function askBoth(page: Page): Promise<void> {
  await visit(page, '/test');
  const mail = page.getByRole('article', { name: 'mail' });
  await mail.getByRole('button', { name: 'Ask both what they say' }).click();
  await mail.locator('.said').waitFor();
}

async function signInWrongly(page: Page): Promise<void> {
  await visit(page, '/');
  await page.getByRole('button', { name: 'Sign in' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Token').fill('wrong');
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.getByText('none of those in the configuration').waitFor();
}

async function prepareSwitch(page: Page, { tokens }: WebWorld): Promise<void> {
  await giveToken(page, tokens.alice);
  await visit(page, '/services/svc-4');
  await page.getByRole('button', { name: 'Switch to svc-4-b…' }).click();
  await page.getByText('Switch all the same').waitFor();
}

async function lose(page: Page, { daemon }: WebWorld): Promise<void> {
  await visit(page, '/services/mail');
  await daemon.kill();
  await page.getByText('The director does not answer').waitFor();
}

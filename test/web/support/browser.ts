import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { ORIGIN } from './origin.ts';

/** Nothing of these machines is to be reached from outside, and nothing outside is looked for. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];
export const PATIENCE = 20_000;

/** Debian's Chromium in a network namespace, with a profile of its own; driven over a pipe, so from any. null: this one. */
export async function browserIn(namespace: string | null, directory: string): Promise<Browser> {
  const program = join(directory, `chromium-${namespace ?? 'here'}`);
  const enter = namespace === null ? '' : `ip netns exec ${namespace} `;
  await writeFile(program, `#!/bin/sh\nexec ${enter}chromium "$@"\n`);
  await chmod(program, 0o755);
  return chromium.launch({ executablePath: program, args: FLAGS, headless: true, timeout: 60_000 });
}

export interface OpenOptions extends BrowserContextOptions {
  readonly path?: string;
  readonly origin?: string;
}

/** A page in a context of its own. Fails the test that uses it when the page logs an error: see `errorsOf`. */
export async function openPage(
  browser: Browser,
  { path = '/', origin = ORIGIN, ...options }: OpenOptions = {},
): Promise<Page> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: { width: 1440, height: 900 },
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  follow(page);
  await page.goto(new URL(path, origin).href);
  await page.locator('.liveness.live').waitFor();
  return page;
}

const errors = new WeakMap<Page, string[]>();

function follow(page: Page): void {
  const found: string[] = [];
  errors.set(page, found);
  page.on('pageerror', (error) => found.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') found.push(message.text());
  });
}

/** What the page's own scripts complained of: a policy that they break, an exception. */
export const errorsOf = (page: Page): readonly string[] => errors.get(page) ?? [];

export async function signIn(page: Page, token: string): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await giveToken(page, token);
}

export async function giveToken(page: Page, token: string): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Sign in with a token' });
  await dialog.getByLabel('Token').fill(token);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.waitFor({ state: 'detached' });
}

/** Waits, within bounds, until something of the world is so. */
export const eventually = <T>(look: () => Promise<T>, check: (found: T) => void): Promise<void> =>
  expect
    .poll(
      async () => {
        try {
          check(await look());
          return 'so';
        } catch (error) {
          return error instanceof Error ? error.message : String(error);
        }
      },
      { timeout: PATIENCE, interval: 50 },
    )
    .toBe('so');

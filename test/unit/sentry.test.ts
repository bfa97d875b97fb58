import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { questionByMark } from '../../src/kernel/netlink/conntrack/client.ts';
import { Sentry } from '../../src/kernel/sentry.ts';
import { requirePrivateNamespace, tool } from './links-private-namespace.ts';

const MARK = 0x30000;
const FLOW = ['-p', 'udp', '-s', '192.0.2.7', '-d', '192.0.2.25', '--sport', '7000', '--dport', '514'];
const TIMES = { timeout: 10_000, interval: 20 };

let own: Server;
let sentry: Sentry;

/** As src/serve.ts holds it for as long as a director lives. */
function directorsSocket(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen('\0dom0-director', () => resolve(server));
  });
}
const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => void server.close(() => resolve()));
const flows = (): string =>
  execFileSync('conntrack', ['-L', '-m', `${MARK}`], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();

beforeAll(requirePrivateNamespace);
beforeEach(async () => {
  tool('conntrack', '-I', ...FLOW, '-t', '600', '-m', `${MARK}`);
  own = await directorsSocket();
  // Any question that the kernel answers will do.
  const heads = questionByMark({ value: 1, mask: 0xffffffff });
  sentry = new Sentry(
    {
      prefix: 'none',
      choice: [],
      heads,
      chosen: heads,
      others: [],
      files: ['/proc/sys/net/ipv4/ip_forward'],
    },
    () => undefined,
  );
  await expect.poll(() => sentry.changes(performance.now()), TIMES).not.toBeNull();
  sentry.bequeath([
    { at: Date.now(), flows: questionByMark({ value: MARK, mask: 0xffffffff }), sparing: [] },
  ]);
});
afterEach(async () => {
  await closed(own);
  execFileSync('conntrack', ['-F'], { stdio: 'ignore' });
});

test('who survives a director ends the flows that it was left, also if that is not quite dead when its pipe ends', async () => {
  sentry.close();
  await sleep(300);
  expect(flows()).toContain('dport=514');
  await closed(own);
  await expect.poll(flows, TIMES).toBe('');
});

test('it leaves them to another director that is there', async () => {
  await closed(own);
  own = await directorsSocket();
  sentry.close();
  await sleep(500);
  expect(flows()).toContain('dport=514');
});

test('one that another has taken the place of does nothing any more, though its director dies', async () => {
  sentry.dismiss();
  await closed(own);
  await sleep(500);
  expect(flows()).toContain('dport=514');
  own = await directorsSocket();
});

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Neighbours } from '../../src/kernel/announce.ts';
import { LinkClient } from '../../src/kernel/links/client.ts';
import { NETLINK_ROUTE, NetlinkConnection } from '../../src/kernel/netlink/connection.ts';
import { ip, requirePrivateNamespace, tool } from './links-private-namespace.ts';

const SERVICE4 = { family: 4, text: '192.0.2.25' } as const;
const SERVICE6 = { family: 6, text: '2001:db8::25' } as const;
const STALE = '02:00:00:00:00:99';

const connection = NetlinkConnection.open(NETLINK_ROUTE);
const links = new LinkClient(connection);
const onError = vi.fn();
const neighbours = new Neighbours(links, onError);
let other: ChildProcess;

/** In the neighbour's namespace. */
const there = (...argv: string[]): string => tool('nsenter', '-t', String(other.pid), '-n', ...argv);

beforeAll(async () => {
  requirePrivateNamespace();
  other = spawn('unshare', ['-n', 'sh', '-c', 'echo up; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(other.stdout!, 'data');
  ip('link add an0 type veth peer name an1');
  ip(`link set an1 netns ${other.pid}`);
  ip('link set an0 up');
  there('ip', 'link', 'set', 'an1', 'up');
  there('ip', 'address', 'add', '192.0.2.1/24', 'dev', 'an1');
  there('ip', 'address', 'add', '2001:db8::1/64', 'dev', 'an1', 'nodad');
});
afterAll(async () => {
  await neighbours.close();
  connection.close();
  other.kill();
  if ((await links.find('an0').catch(() => null)) !== null) ip('link delete an0');
});

test('A neighbour that knew the address elsewhere knows it here afterwards, both families', async () => {
  for (const { text } of [SERVICE4, SERVICE6]) {
    there('ip', 'neigh', 'replace', text, 'lladdr', STALE, 'dev', 'an1', 'nud', 'stale');
  }
  await neighbours.announce('an0', [SERVICE4, SERVICE6]);
  const mac = (await links.find('an0'))?.mac ?? 'none';
  await vi.waitFor(() => {
    for (const { text } of [SERVICE4, SERVICE6]) expect(there('ip', 'neigh', 'show', text)).toContain(mac);
  });
});

test('Each announcement is sent three times, well-formed, without the caller waiting for the last', async () => {
  const count = 9;
  const tcpdump = spawn(
    'nsenter',
    [
      '-t',
      String(other.pid),
      '-n',
      'tcpdump',
      '-vv',
      '-n',
      '-l',
      '-i',
      'an1',
      '-c',
      String(count),
      'host 192.0.2.26 or host 2001:db8::26',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  onTestFinished(() => void tcpdump.kill());
  await new Promise<void>((resolve) => {
    createInterface(tcpdump.stderr).on('line', (line) => {
      if (line.includes('listening on')) resolve();
    });
  });
  let seen = '';
  tcpdump.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  await neighbours.announce('an0', [
    { family: 4, text: '192.0.2.26' },
    { family: 6, text: '2001:db8::26' },
  ]);
  expect(tcpdump.exitCode).toBeNull();
  await once(tcpdump, 'close');
  expect(seen.match(/Request who-has 192\.0\.2\.26 (\(.*\) )?tell 192\.0\.2\.26/g)).toHaveLength(3);
  expect(seen.match(/Reply 192\.0\.2\.26 is-at/g)).toHaveLength(3);
  expect(seen.match(/\[icmp6 sum ok\] ICMP6, neighbor advertisement/g)).toHaveLength(3);
  expect(seen).toMatch(/hlim 255/);
  expect(onError).not.toHaveBeenCalled();
});

describe('addresses that are added one after another', () => {
  test('are announced soon, and what fails is told to the error handler', async () => {
    there('ip', 'neigh', 'replace', SERVICE4.text, 'lladdr', STALE, 'dev', 'an1', 'nud', 'stale');
    neighbours.soon('an0', { family: 4, text: '192.0.2.30' });
    neighbours.soon('an0', SERVICE4);
    neighbours.soon('no-such', SERVICE4);
    const mac = (await links.find('an0'))?.mac ?? 'none';
    await vi.waitFor(() => expect(there('ip', 'neigh', 'show', SERVICE4.text)).toContain(mac));
    await vi.waitFor(() =>
      expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'ENOENT' })),
    );
  });
});

test('A link that is down, or not there, is an error; one without neighbours is not', async () => {
  await expect(neighbours.announce('an9', [SERVICE4])).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(neighbours.announce('lo', [SERVICE4])).resolves.toBeUndefined();
  ip('link set an0 down');
  await expect(neighbours.announce('an0', [SERVICE4])).rejects.toMatchObject({ code: 'ENETDOWN' });
});

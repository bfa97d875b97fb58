import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, it, vi } from 'vitest';
import { Systemd } from '../../src/systemd.ts';
import type { Signs } from '../../src/systemd.ts';

/** systemd's end: a line for each message, with its lines divided by commas. */
const RECEIVE = `
$| = 1;
my ($path) = @ARGV;
$path =~ s/^@/\\0/;
socket(my $socket, 1, 2, 0) or die;
bind($socket, pack 'S a*', 1, $path) or die;
print "bound\\n";
while (defined recv $socket, my $message, 8192, 0) { $message =~ tr/\\n/,/; print "$message\\n"; }
`;

const WITHIN = { timeout: 10_000, interval: 5 };
const releases: (() => void)[] = [];

afterEach(() => {
  for (const release of releases.splice(0).reverse()) release();
});

interface Listening {
  readonly path: string;
  readonly heard: string[];
}

async function listening(abstract = false): Promise<Listening> {
  const directory = mkdtempSync(join(tmpdir(), 'director-systemd-'));
  releases.push(() => rmSync(directory, { recursive: true, force: true }));
  const path = `${abstract ? '@' : ''}${directory}/notify`;
  const child = spawn('perl', ['-e', RECEIVE, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  releases.push(() => child.kill('SIGKILL'));
  const heard: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => heard.push(line));
  await vi.waitUntil(() => heard.shift() === 'bound', WITHIN);
  return { path, heard };
}

const WATCHED = { WATCHDOG_USEC: '60000', WATCHDOG_PID: String(process.pid) };

function telling(env: NodeJS.ProcessEnv, now?: () => number): { systemd: Systemd; faults: string[] } {
  const faults: string[] = [];
  const systemd = new Systemd(env, (text) => faults.push(text), now);
  releases.push(() => systemd.stopping());
  return { systemd, faults };
}

const idle = (status: string): Signs => ({ status, work: { waiting: 0, ended: 0 } });
const signsOfLife = (heard: readonly string[]): number =>
  heard.filter((message) => message.includes('WATCHDOG=1')).length;

it.each([false, true])(
  'systemd hears that it is ready, how it is, and that it stops (abstract: %s)',
  async (abstract) => {
    const { path, heard } = await listening(abstract);
    const { systemd, faults } = telling({ NOTIFY_SOCKET: path });
    systemd.status('starting');
    systemd.ready(() => idle('directing\n2 services'));
    systemd.stopping();
    await vi.waitUntil(() => heard.length === 3, WITHIN);
    expect(heard).toEqual([
      'STATUS=starting',
      'READY=1,STATUS=directing 2 services',
      'STOPPING=1,STATUS=stopping; the kernel goes on directing',
    ]);
    expect(faults).toEqual([]);
  },
);

it('signs of life go on for as long as the event loop does, and a status is told when it is another', async () => {
  const { path, heard } = await listening();
  const { systemd } = telling({ NOTIFY_SOCKET: path, ...WATCHED });
  let status = 'directing 1 service';
  systemd.ready(() => idle(status));
  await vi.waitUntil(() => signsOfLife(heard) > 3, WITHIN);
  status = 'on trial: mail';
  await vi.waitUntil(() => heard.some((message) => message.includes(status)), WITHIN);
  expect(heard.filter((message) => message.includes('STATUS='))).toHaveLength(2);
});

it('there is no sign of life of a process that is not the one that is watched, nor where nobody watches', async () => {
  for (const env of [{}, { ...WATCHED, WATCHDOG_PID: '1' }]) {
    const { path, heard } = await listening();
    const { systemd } = telling({ NOTIFY_SOCKET: path, ...env });
    systemd.ready(() => idle('directing'));
    systemd.stopping();
    await vi.waitUntil(() => heard.some((message) => message.startsWith('STOPPING=1')), WITHIN);
    expect(signsOfLife(heard)).toBe(0);
  }
});

it('signs of life end where a change does not come to its end, and begin again when it has', async () => {
  const { path, heard } = await listening();
  let now = 0;
  const { systemd } = telling({ NOTIFY_SOCKET: path, ...WATCHED }, () => now);
  const work = { waiting: 1, ended: 7 };
  let looks = 0;
  systemd.ready(() => {
    looks++;
    return { status: 'directing', work: { ...work } };
  });
  now = 299_000;
  await vi.waitUntil(() => signsOfLife(heard) > 3, WITHIN);
  now = 301_000;
  // What is told after some more looks comes after whatever they told.
  const lifeUntil = async (mark: string): Promise<number> => {
    const from = looks;
    await vi.waitUntil(() => looks > from + 3, WITHIN);
    systemd.status(mark);
    await vi.waitUntil(() => heard.some((message) => message.includes(mark)), WITHIN);
    return signsOfLife(heard);
  };
  const before = await lifeUntil('first mark');
  expect(await lifeUntil('second mark')).toBe(before);
  work.ended++;
  await vi.waitUntil(() => signsOfLife(heard) > before, WITHIN);
});

it('a reload is told with its moment on the monotonic clock, and its end also where it fails', async () => {
  const { path, heard } = await listening();
  const { systemd } = telling({ NOTIFY_SOCKET: path });
  const before = process.hrtime.bigint() / 1000n;
  await expect(systemd.reloading(() => Promise.reject(new Error('wrong')))).rejects.toThrow('wrong');
  await vi.waitUntil(() => heard.length === 2, WITHIN);
  const [, at = ''] = /^RELOADING=1,MONOTONIC_USEC=(\d+)$/.exec(heard[0] ?? '') ?? [];
  expect(BigInt(at)).toBeGreaterThanOrEqual(before);
  // What systemd compares it with: seconds since boot without suspend, as perl's clock_gettime would tell.
  expect(Number(at) / 1e6).toBeLessThanOrEqual(process.hrtime()[0] + 1);
  expect(heard[1]).toBe('READY=1');
});

it('another speaks for it where the one that did has ended, and its end is told', async () => {
  const { path, heard } = await listening();
  const { systemd, faults } = telling({ NOTIFY_SOCKET: path, ...WATCHED });
  systemd.ready(() => idle('directing'));
  await vi.waitUntil(() => signsOfLife(heard) > 0, WITHIN);
  for (const child of speakers(path)) process.kill(child, 'SIGKILL');
  heard.length = 0;
  await vi.waitUntil(() => heard.some((message) => message.includes('STATUS=directing')), WITHIN);
  await vi.waitUntil(() => signsOfLife(heard) > 1, WITHIN);
  rmSync(path);
  await vi.waitUntil(() => faults.length > 0, WITHIN);
  expect(faults[0]).toContain('send: No such file or directory');
});

it('nothing is started where nobody asked to be told', () => {
  const before = children().map(({ pid }) => pid);
  const { systemd } = telling({ ...WATCHED });
  systemd.status('starting');
  systemd.ready(() => idle('directing'));
  expect(children().filter(({ pid }) => !before.includes(pid))).toEqual([]);
});

/** Our own children that send to this path. */
const speakers = (path: string): number[] =>
  children()
    .filter(({ argv }) => argv.at(-1) === path && argv.join().includes('send('))
    .map(({ pid }) => pid);

function children(): { pid: number; argv: string[] }[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
    .split(' ')
    .filter((pid) => pid !== '')
    .map((pid) => ({
      pid: Number(pid),
      argv: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1),
    }));
}

import { readdir, readlink } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addNamespace, deleteNamespace, inNamespace, labName } from '../../src/lab/namespaces.ts';
import { must, run } from '../../src/lab/run.ts';
import { HelperProcess, until } from './support/helper-process.ts';
import { DIRECTOR, METER_HELPER } from './support/scripts.ts';

/** Two ports of one namespace that is a Dom0's; the other ends are in it, too. */
let namespace: string;
let indexes: number[];
beforeEach(async () => {
  namespace = labName();
  await addNamespace(namespace);
  for (const port of ['up', 'vif']) {
    await must([
      'ip',
      '-n',
      namespace,
      'link',
      'add',
      'name',
      port,
      'type',
      'veth',
      'peer',
      'name',
      `${port}x`,
    ]);
    await must(['ip', '-n', namespace, 'link', 'set', 'dev', port, 'up']);
  }
  const links = JSON.parse(await inside('ip', '-j', 'link')) as { ifname: string; ifindex: number }[];
  indexes = ['up', 'vif'].map((name) => links.find(({ ifname }) => ifname === name)?.ifindex ?? 0);
});
afterEach(() => deleteNamespace(namespace));

const inside = (...argv: readonly string[]): Promise<string> => must(inNamespace(namespace, argv));
const hooked = async (): Promise<string[]> =>
  (await inside(METER_HELPER, 'list')).trim().split('\n').filter(Boolean);
const qdiscs = (): Promise<string> => inside('tc', 'qdisc', 'show');

const start = (way: string): Promise<HelperProcess> => HelperProcess.hooks(namespace, way);
const hook = (helper: HelperProcess): Promise<string[]> => helper.ask(`always ${indexes.join(' ')}`);

/** What the kernel detaches with the last descriptor of it, those of softirqs included. */
async function linksOf({ pid }: HelperProcess): Promise<number> {
  const directory = `/proc/${pid}/fd`;
  const targets = await Promise.all((await readdir(directory)).map((fd) => readlink(`${directory}/${fd}`)));
  return targets.filter((target) => /^anon_inode:\[?bpf[-_](link|raw-tracepoint)/.test(target)).length;
}

const gone = (): Promise<void> => until(async () => (await hooked()).length === 0);

describe.each(['tcx', 'clsact'])('%s', (way) => {
  test('hooks both ways of every port, and names what is ours', async () => {
    const helper = await start(way);
    await hook(helper);
    const listed = await hooked();
    expect(listed).toHaveLength(4);
    for (const line of listed) expect(line).toMatch(/^(up|vif) (in|e)gress (tcx d0d_|clsact dom0-director)/);
    expect(await helper.end()).toBe(0);
    await gone();
  });

  test('a helper that is killed within a window leaves no hook behind', async () => {
    const before = await qdiscs();
    const helper = await start(way);
    helper.write(`window 60000 ${indexes.join(' ')}`);
    await until(async () => (await hooked()).length === 4);
    helper.signal('SIGKILL');
    await gone();
    await until(async () => (await qdiscs()) === before);
  });

  test('nor does one whose asker is gone within a window', async () => {
    const before = await qdiscs();
    const helper = await start(way);
    helper.write(`window 60000 ${indexes.join(' ')}`);
    await until(async () => (await hooked()).length === 4);
    expect(await helper.end()).toBe(0);
    await gone();
    expect(await qdiscs()).toBe(before);
  });

  test('softirqs are timed as long as packets are, and no longer', async () => {
    const helper = await start(way);
    const packets = way === 'tcx' ? 4 : 0;
    await hook(helper);
    expect(await linksOf(helper)).toBe(packets + 2);
    const answer = await helper.ask(`window 50 ${indexes.join(' ')}`);
    expect(answer.at(-2)).toMatch(/^softirq \d+ \d+$/);
    expect(await linksOf(helper)).toBe(0);
    await helper.end();
  });

  test('a port that is not there is passed over', async () => {
    const helper = await start(way);
    await helper.ask(`always ${indexes.join(' ')} 4711`);
    expect(await hooked()).toHaveLength(4);
    await helper.end();
  });
});

describe('clsact', () => {
  const FOREIGN = ['tc', 'filter', 'add', 'dev', 'vif', 'ingress', 'prio', '7', 'protocol', 'ip', 'u32'];
  const filters = (): Promise<string> => inside('tc', 'filter', 'show', 'dev', 'vif', 'ingress');

  test("others' qdiscs and filters are as they were", async () => {
    await inside('tc', 'qdisc', 'add', 'dev', 'vif', 'clsact');
    await inside(...FOREIGN, 'match', 'u32', '0', '0', 'flowid', '1:1');
    const before = [await qdiscs(), await filters()];
    const helper = await start('clsact');
    await hook(helper);
    expect(await filters()).toContain('dom0-director');
    await helper.end();
    expect([await qdiscs(), await filters()]).toEqual(before);
  });

  test('a qdisc of ours stays for whoever has put a filter into it', async () => {
    const helper = await start('clsact');
    await hook(helper);
    await inside(...FOREIGN, 'match', 'u32', '0', '0', 'flowid', '1:1');
    await helper.end();
    expect(await filters()).toContain('u32');
    expect(await filters()).not.toContain('dom0-director');
  });

  test('the helper ends and clears up when its guard is killed', async () => {
    const before = await qdiscs();
    const helper = await start('clsact');
    await hook(helper);
    await killGuard(helper);
    await helper.exited;
    await gone();
    expect(await qdiscs()).toBe(before);
  });

  test('what is left when both are killed is removed at the next start', async () => {
    const helper = await start('clsact');
    await hook(helper);
    helper.signal('SIGSTOP');
    await killGuard(helper);
    helper.signal('SIGKILL');
    await helper.exited;
    expect(await hooked()).toHaveLength(4);
    const next = await start('clsact');
    expect(await hooked()).toHaveLength(0);
    await next.end();
  });

  /** By its parent's number: it is nobody else's process. */
  async function killGuard(helper: HelperProcess): Promise<void> {
    const guard = Number((await must(['ps', '-o', 'pid=', '--ppid', String(helper.pid)])).trim());
    expect(guard).toBeGreaterThan(1);
    process.kill(guard, 'SIGKILL');
  }
});

describe('the doctor', () => {
  const doctor = async (...before: string[]): Promise<string> =>
    (await run(inNamespace(namespace, [...before, ...DIRECTOR, 'doctor']))).stdout;

  test('says how costs would be measured, and leaves nothing', async () => {
    const before = await qdiscs();
    expect(await doctor()).toMatch(/^\S what routing costs .* \(windows, by (tcx|clsact)\)$/m);
    expect(await hooked()).toEqual([]);
    expect(await qdiscs()).toBe(before);
  });

  test('does not take a running meter for a former one', async () => {
    const helper = await start('clsact');
    await hook(helper);
    for (const way of ['clsact', 'auto']) expect(await inside(METER_HELPER, 'check', way)).toMatch(/^ready /);
    expect(await doctor()).toContain('(windows');
    expect(await hooked()).toHaveLength(4);
    await helper.end();
  });

  test('says why it would be guessed', async () => {
    const text = await doctor('setpriv', '--bounding-set', '-sys_admin,-bpf,-perfmon');
    expect(text).toMatch(/^! what routing costs .*typical figures, and no better \(model\)$/m);
    expect(text).toMatch(/^ +windows: .*not permitted$/m);
    expect(text).toMatch(/^ +sampler: /m);
  });
});

test.each(['tcx', 'clsact'])('a plain bridge is measured by %s', async (way) => {
  expect(await inside(METER_HELPER, 'baseline', way)).toMatch(/^small [1-9]\d* \d+ bulk [1-9]\d* \d+$/m);
});

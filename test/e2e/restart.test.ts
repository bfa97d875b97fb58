import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ServiceView } from '../../src/api/contract.ts';
import { callApi } from '../../src/lab/api.ts';
import { ManyServices } from './support/many.ts';

const SERVICES = 300;

let many: ManyServices;
beforeAll(async () => {
  many = await ManyServices.create(SERVICES);
  await many.start();
}, 150_000);
afterAll(() => many.destroy(), 60_000);

/** Questions. All else may change something. */
const ASKED = /_GET|IPSET_CMD_(LIST|TYPE|PROTOCOL|HEADER)|^NLMSG_(ERROR|DONE|NOOP)/;

/** All that the kernel was told over netlink, and files below /proc/sys that were opened to be written. */
async function toldIn(trace: string): Promise<string[]> {
  const text = await readFile(trace, 'utf8');
  const netlink = [...text.matchAll(/nlmsg_type=([^,}]+)/g)].map(([, type]) => type ?? '');
  const files = [...text.matchAll(/openat\([^"]*"(\/proc\/sys\/[^"]*)", [^)]*O_(WRONLY|RDWR)/g)];
  return [...netlink, ...files.map(([, path]) => path ?? '')];
}

/** Starts it so that it is known what it tells the kernel by the time that it is ready, and stops it. */
async function told(): Promise<string[]> {
  const trace = join(many.directory, 'trace');
  // -D: strace is the child, so that it is the director that is stopped.
  const strace = ['strace', '-D', '-f', '--seccomp-bpf', '-s', '64', '-o', trace];
  await many.start([...strace, '-e', 'trace=sendmsg,sendto,openat']);
  await many.stop();
  return toldIn(trace);
}

/** A connection of a service's first DomU, as conntrack(8) has it. */
const FLOW = ['-p', 'tcp', '-s', '198.51.100.20', '-d', '198.18.0.0', '--sport', '4000', '--dport', '25'];

it(
  `a restart with ${SERVICES} services and nothing to change tells the kernel nothing, and ends no flow`,
  { timeout: 180_000 },
  async () => {
    await many.stop();
    const insert = ['-t', '9999', '-u', 'ASSURED', '--state', 'ESTABLISHED', '--mark', '0x40000'];
    await many.must('conntrack', '-I', ...FLOW, ...insert);
    const seen = await told();
    expect(seen.filter((type) => !ASKED.test(type))).toEqual([]);
    // It has looked whether all is as it was left.
    for (const what of ['IPSET_CMD_LIST', 'RTM_GETLINK', 'RTM_GETADDR', 'NFT_MSG_GETGEN'])
      expect(seen.some((type) => type.includes(what))).toBe(true);
    expect(await many.must('conntrack', '-L', ...FLOW)).toContain('mark=262144');
  },
);

it('what is missing is told of by the same count', { timeout: 120_000 }, async () => {
  await many.must('ipset', 'del', 'dir-vips', '198.18.0.7');
  await many.must('ip', 'address', 'delete', '10.100.7.1/24', 'dev', 'br-s7');
  const seen = (await told()).filter((type) => !ASKED.test(type));
  expect(seen.some((type) => type.includes('IPSET_CMD_ADD'))).toBe(true);
  expect(seen).toContain('RTM_NEWADDR');
});

it(
  'an element that was exchanged for another meanwhile is put back soon after the start',
  { timeout: 120_000 },
  async () => {
    // What the director saw last has to be older than that: a start and its look at everything.
    await many.start();
    await many.settled();
    await many.stop();
    await many.must('ipset', 'del', 'dir-vips', '198.18.0.9');
    await many.must('ipset', 'add', 'dir-vips', '203.0.113.9');
    await many.start();
    const listed = (): Promise<string> => many.must('ipset', 'list', 'dir-vips');
    await expect.poll(listed, { timeout: 30_000 }).toMatch(/^(?!.*203\.0\.113\.9).*198\.18\.0\.9/s);
    await many.stop();
  },
);

it(
  'a reload of a long file changes what is another one in it, and tells each fault by its line',
  { timeout: 120_000 },
  async () => {
    await many.start();
    const reload = (): ReturnType<typeof callApi> => callApi(many.socket, 'POST', '/v1/reload', {}, 60_000);
    const generation = async (name: string): Promise<unknown> =>
      ((await callApi(many.socket, 'GET', `/v1/services/${name}`)).body as ServiceView).generation;
    const [seven, eight] = [await generation('s7'), await generation('s8')];
    await many.configure({ s7: { ports: ['25/tcp', '4711/tcp'] } });
    expect((await reload()).status).toBeLessThan(300);
    expect(await many.must('iptables', '-t', 'nat', '-S')).toMatch(
      /-d 198\.18\.0\.7\/32 .*--dports 25,4711 -g DIR-s7/,
    );
    expect(await generation('s7')).not.toBe(seven);
    expect(await generation('s8')).toBe(eight);
    await many.configure({ s7: { ports: ['25/tcp', '4711/tcp'] }, s9: { ports: ['nonsense'] } });
    const refused = await reload();
    expect(refused.status).toBe(422);
    expect(JSON.stringify(refused.body)).toMatch(/services\.s9\.ports/);
    await many.stop();
  },
);

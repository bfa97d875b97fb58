import { readFile, readdir, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, expect, it } from 'vitest';
import { callApi } from '../../src/lab/api.ts';
import type { SwitchView } from '../../src/api/contract.ts';
import { http } from '../e2e/support/http.ts';
import { definition, ManyServices } from '../e2e/support/many.ts';
import { Metrics } from '../e2e/support/metrics.ts';
import { looked as lookedAt } from './daemon-figures.ts';
import { median, table } from './figures.ts';

/**
 * `npm run bench:daemon`: what the daemon itself costs with few and with many services. BENCH_SIZES: how many, divided
 * by commas; BENCH_JSON: a file that gets the figures, too.
 */
const SIZES = (process.env['BENCH_SIZES'] ?? '1,1000,10000').split(',').map(Number);
const IDLE_MS = Number(process.env['BENCH_IDLE_MS'] ?? 60_000);
const TIMES = 5;
const SWITCHES = 15;
const LONG = 120_000;

interface Figure {
  readonly services: number;
  readonly what: string;
  readonly unit: 'ms' | 'MB' | '%' | 'kB' | 'µs';
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

const figures: Figure[] = [];
let many: ManyServices | null = null;
let size = 0;

afterEach(async () => {
  await many?.destroy();
  many = null;
}, LONG);
afterAll(async () => {
  console.log(`${new Date().toISOString().slice(0, 10)}, Linux ${release()}, Node ${process.version}`);
  console.log(tableOf());
  const file = process.env['BENCH_JSON'];
  if (file !== undefined) await writeFile(file, `${JSON.stringify(figures, null, 2)}\n`);
});

function note(what: string, unit: Figure['unit'], values: readonly number[]): void {
  const figure = { median: median(values), least: Math.min(...values), most: Math.max(...values) };
  figures.push({ services: size, what, unit, ...figure });
  console.log(
    `${size}: ${what}: ${shown(figure.median)} (${shown(figure.least)} to ${shown(figure.most)}) ${unit}`,
  );
}

const shown = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(0));

function tableOf(): string {
  const names = [...new Set(figures.map(({ what }) => what))];
  const cell = (what: string, services: number): string => {
    const found = figures.find((figure) => figure.what === what && figure.services === services);
    if (found === undefined) return '';
    const { least, most, unit } = found;
    return `${shown(found.median)} ${unit}${least === most ? '' : ` (${shown(least)} to ${shown(most)})`}`;
  };
  return table(
    ['', ...SIZES.map((services) => `${services} services`)],
    names.map((what) => [what, ...SIZES.map((services) => cell(what, services))]),
  );
}

async function timed<T>(work: () => Promise<T>): Promise<[number, T]> {
  const begun = performance.now();
  const answer = await work();
  return [performance.now() - begun, answer];
}

/** Milliseconds; the longest that anybody who asked for next to nothing waited while `work` was done. */
async function longestWait(socket: string, work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  const ended = { yet: false };
  const asking = (async () => {
    while (!ended.yet) {
      const [took] = await timed(() => http(socket, 'GET', '/healthz'));
      longest = Math.max(longest, took);
    }
  })();
  await work().finally(() => (ended.yet = true));
  await asking;
  return longest;
}

async function memoryOf(pid: number): Promise<{ now: number; most: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const read = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
  return { now: read('VmRSS'), most: read('VmHWM') };
}

/** Nanoseconds on a processor of all threads of these (proc(5), schedstat). */
async function usedBy(pids: readonly number[]): Promise<number> {
  const each = pids.map(async (pid) => {
    const threads = await readdir(`/proc/${pid}/task`);
    const stats = threads.map((thread) =>
      readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0'),
    );
    return (await Promise.all(stats)).reduce((sum, stat) => sum + Number(stat.split(' ')[0]), 0);
  });
  return (await Promise.all(each)).reduce((a, b) => a + b, 0);
}

async function family(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return [pid, ...children.split(' ').filter(Boolean).map(Number)];
}

const looked = ({ socket }: ManyServices): Promise<void> => lookedAt(socket, size);

/** Seconds that bringing the kernel to what is wanted has taken so far. */
const reconciling = async (socket: string): Promise<number> =>
  (await Metrics.of(socket)).value('reconcile_seconds_sum', {}) ?? NaN;

for (const services of SIZES)
  it(`the daemon with ${services} services`, { timeout: 30 * 60_000 }, async () => {
    size = services;
    many = await ManyServices.create(services);
    await starts(many);
    await changes(many);
    await switches(many);
    await answers(many);
    await repairs(many);
    await idle(many);
  });

async function starts(daemon: ManyServices): Promise<void> {
  note('the first start, until ready', 'ms', [await daemon.start()]);
  note('of it: the first sync', 'ms', [(await reconciling(daemon.socket)) * 1000]);
  await looked(daemon);
  const again: number[] = [];
  for (let n = 0; n < TIMES; n++) {
    await daemon.stop();
    again.push(await daemon.start());
    // Who reads metrics meanwhile waits for himself.
    if (n === 0)
      note('looks after a start: longest wait', 'ms', [
        await longestWait(daemon.socket, () => sleep(4000 + size)),
      ]);
    await looked(daemon);
  }
  note('a start over an unchanged kernel, until ready', 'ms', again);
}

async function changes(daemon: ManyServices): Promise<void> {
  const { socket } = daemon;
  const [whole, kernel, waits]: [number[], number[], number[]] = [[], [], []];
  const last = `s${size - 1}`;
  for (let n = 0; n < TIMES; n++) {
    await daemon.configure({ [last]: { ports: ['25/tcp', '389/tcp', '389/udp', `${1000 + n}/tcp`] } });
    const before = await reconciling(socket);
    const work = async (): Promise<void> => {
      const [took, answer] = await timed(() => callApi(socket, 'POST', '/v1/reload', {}, LONG));
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
      whole.push(took);
    };
    waits.push(await longestWait(socket, work));
    kernel.push(((await reconciling(socket)) - before) * 1000);
    await looked(daemon);
  }
  note('a reload with one change', 'ms', whole);
  note('of it: the kernel', 'ms', kernel);
  note('a reload: longest wait', 'ms', waits);
  await definitions(daemon);
}

async function definitions(daemon: ManyServices): Promise<void> {
  const { socket } = daemon;
  const [anew, kernel, added]: [number[], number[], number[]] = [[], [], []];
  const put = async (name: string, body: unknown): Promise<number> => {
    const [took, answer] = await timed(() => callApi(socket, 'PUT', `/v1/services/${name}`, body, LONG));
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    return took;
  };
  for (let n = 0; n < TIMES; n++) {
    const before = await reconciling(socket);
    anew.push(
      await put('s0', { ...definition(0), ports: ['25/tcp', '389/tcp', '389/udp', `${1100 + n}/tcp`] }),
    );
    kernel.push(((await reconciling(socket)) - before) * 1000);
    added.push(await put(`new${n}`, definition(10_100 + n)));
  }
  note('a service is defined anew over the API', 'ms', anew);
  note('defined anew: the kernel', 'ms', kernel);
  note('a service is added over the API', 'ms', added);
}

async function switches(daemon: ManyServices): Promise<void> {
  const { socket } = daemon;
  const [there, back, flips]: [number[], number[], number[]] = [[], [], []];
  await looked(daemon);
  for (let n = 0; n < SWITCHES; n++) {
    const order = { services: ['s0'], to: 'secondary', force: true };
    const [took, answer] = await timed(() => callApi(socket, 'POST', '/v1/switches', order, LONG));
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    const { id, kernel } = answer.body as SwitchView;
    there.push(took);
    flips.push(kernel.flipMicros ?? NaN);
    const [returned] = await timed(() => callApi(socket, 'POST', `/v1/switches/${id}/rollback`, {}, LONG));
    back.push(returned);
    await sleep(300);
  }
  note('a switch', 'ms', there);
  note('a rollback', 'ms', back);
  note("a switch: the kernel's part", 'µs', flips);
}

async function answers(daemon: ManyServices): Promise<void> {
  const { socket } = daemon;
  await looked(daemon);
  for (const [what, path] of [
    ['a scrape', '/metrics'],
    ['all services', '/v1/services'],
    ['one service', '/v1/services/s0'],
    ['the page', '/'],
  ] as const) {
    const times: number[] = [];
    let length = 0;
    for (let n = 0; n < TIMES; n++) {
      const [took, answer] = await timed(() => http(socket, 'GET', path));
      expect(answer.status).toBe(200);
      times.push(took);
      length = answer.text.length;
    }
    note(what, 'ms', times);
    note(`${what}: size`, 'kB', [length / 1024]);
    note(`${what}: longest wait`, 'ms', [await longestWait(socket, () => http(socket, 'GET', path))]);
  }
}

async function repairs(daemon: ManyServices): Promise<void> {
  const [rules, elements]: [number[], number[]] = [[], []];
  let wait = 0;
  for (let n = 0; n < TIMES; n++) {
    await looked(daemon);
    const flushed = async (): Promise<boolean> =>
      !(await daemon.must('iptables', '-t', 'nat', '-S', 'DIR-s0')).includes('-g DIR-s0.a');
    await daemon.must('iptables', '-t', 'nat', '-F', 'DIR-s0');
    const [took] = await timed(async () => {
      wait = Math.max(wait, await longestWait(daemon.socket, () => until(async () => !(await flushed()))));
    });
    rules.push(took);
    await daemon.must('ipset', 'del', 'dir-vips', '198.18.0.0');
    const listed = (): Promise<boolean> =>
      daemon.must('ipset', 'test', 'dir-vips', '198.18.0.0').then(
        () => true,
        () => false,
      );
    const [again] = await timed(() => until(listed));
    elements.push(again);
  }
  note('a flushed chain is put back within', 'ms', rules);
  note('an element is put back within', 'ms', elements);
  note('repairs: longest wait', 'ms', [wait]);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const begun = performance.now();
  while (!(await condition())) {
    if (performance.now() - begun > LONG) throw new Error('it was not put back');
    await sleep(10);
  }
}

async function idle(daemon: ManyServices): Promise<void> {
  await looked(daemon);
  await sleep(10_000);
  const pids = await family(daemon.pid);
  const before = await usedBy(pids);
  const [took] = await timed(() => sleep(IDLE_MS));
  note('idle: of a core', '%', [((await usedBy(pids)) - before) / 1e4 / took]);
  const { now, most } = await memoryOf(daemon.pid);
  note('memory', 'MB', [now]);
  note('memory: the most so far', 'MB', [most]);
}

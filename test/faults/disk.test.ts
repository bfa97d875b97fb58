import { copyFile, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Problem, ReadyView, SwitchView } from '../../src/api/contract.ts';
import { definitionOf } from '../../src/lab/config-file.ts';
import { directedWorld } from '../e2e/support/director.ts';
import type { DirectedWorld } from '../e2e/support/director.ts';
import { editConfig } from '../e2e/support/edit-config.ts';
import { kernelText } from '../e2e/support/kernel-text.ts';
import { Operator } from '../e2e/support/operator.ts';
import { DIRECTOR } from '../e2e/support/scripts.ts';
import { SmallDisk } from './small-disk.ts';
import { refuseWrites } from './weapons.ts';
import type { Armed } from './weapons.ts';

/** Everything is looked at every ten seconds, the disk with it; a slow machine may take its time. */
const TOLD_WITHIN = 30_000;
const LEASED = '192.0.2.77';

let state: string;
let disk: SmallDisk;
let directed: DirectedWorld;
let operator: Operator;

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'director-disk-'));
  disk = await SmallDisk.mount(state);
  directed = await directedWorld({ services: 3, config: { top: { state } } });
  operator = new Operator(directed);
});
afterAll(async () => {
  await directed.end();
  await disk.unmount();
  await rm(state, { recursive: true, force: true });
});

async function ready(): Promise<ReadyView> {
  const answer = await directed.daemon.call('GET', '/readyz').catch(() => null);
  return (answer?.body as ReadyView | null) ?? { ready: false, problems: [], since: '' };
}

async function untilReady(wanted: boolean): Promise<ReadyView> {
  const deadline = performance.now() + TOLD_WITHIN;
  for (;;) {
    const view = await ready();
    if (view.ready === wanted || performance.now() > deadline) return view;
    await sleep(50);
  }
}

const order = { services: ['mail', 'ldap'], to: 'secondary' };
const other = (): unknown => ({ ...definitionOf(directed.world.service('svc-3')), ports: ['389/tcp'] });

/** Every verb that moves somebody or changes what is known; `hold` and `enrolled` are so before. */
const VERBS: readonly (readonly [string, string, () => unknown])[] = [
  ['POST', '/v1/switches', () => order],
  ['POST', '/v1/switches', () => ({ ...order, hold: '5s' })],
  ['POST', '/v1/services/mail/hold', () => ({ for: '5m' })],
  ['DELETE', '/v1/services/ldap/hold', () => undefined],
  ['PUT', `/v1/services/ldap/testers/${LEASED}`, () => ({ expiresIn: '8h' })],
  ['DELETE', `/v1/services/mail/testers/${LEASED}`, () => undefined],
  ['PUT', '/v1/services/mail/testing', () => ({ state: 'closed' })],
  ['PUT', '/v1/services/svc-3', other],
  ['DELETE', '/v1/services/svc-3', () => undefined],
  ['POST', '/v1/reload', () => ({})],
];

/** Asks for every verb, and has each refused with nothing moved. */
async function allRefused(trial: SwitchView | null = null): Promise<void> {
  const before = await kernelText(directed.world);
  const verbs =
    trial === null
      ? VERBS
      : [['POST', `/v1/switches/${trial.id}/confirm`, () => ({})] as const, ...VERBS.slice(2)];
  for (const [method, path, body] of verbs) {
    const answer = await directed.daemon.call(method, path, body());
    expect(answer, `${method} ${path}`).toMatchObject({ status: 503 });
    expect((answer.body as Problem).detail, `${method} ${path}`).toMatch(/cannot be written|could not be/);
    expect(await kernelText(directed.world), `the kernel after ${method} ${path}`).toBe(before);
  }
}

let readOnly: Armed | undefined;
const makeReadOnly = async (): Promise<void> => {
  readOnly = await refuseWrites(directed.daemon.process.pid);
};
const makeWritable = async (): Promise<void> => readOnly?.disarm();

describe.each([
  ['full', () => disk.fill(), () => disk.empty()],
  ['read-only', makeReadOnly, makeWritable],
] as const)('where the disk is %s', (_, spoil, mend) => {
  beforeAll(async () => {
    await operator.must(201, 'PUT', `/v1/services/mail/testers/${LEASED}`, { expiresIn: '8h' });
    await operator.must(200, 'POST', '/v1/services/ldap/hold', { for: '5m' });
  });
  afterEach(async () => {
    await mend();
    expect(await untilReady(true)).toMatchObject({ ready: true });
  });
  afterAll(async () => {
    await operator.must(204, 'DELETE', `/v1/services/mail/testers/${LEASED}`);
    await operator.must(200, 'DELETE', '/v1/services/ldap/hold');
  });

  it('refuses every verb before anything moves, and is not ready', async () => {
    await spoil();
    const restore = await editConfig(directed.daemon.configFile, ({ services }) => {
      services['mail'] = { ...services['mail'], testers: ['203.0.113.0/24'] };
    });
    try {
      await allRefused();
      const { problems } = await untilReady(false);
      expect(problems.join()).toMatch(/journal cannot be written/);
      await operator.expectReached('customer', 'mail', 'mail-a');
      await operator.expectReached('tester', 'mail', 'mail-b');
    } finally {
      await restore();
    }
  });

  it('refuses to confirm, rolls back all the same, and writes that down as soon as it can', async () => {
    await operator.must(200, 'DELETE', '/v1/services/ldap/hold');
    const trial = await operator.switch(['mail', 'ldap']);
    await operator.must(200, 'POST', '/v1/services/ldap/hold', { for: '5m' });
    await operator.expectReached('customer', 'mail', 'mail-b');
    await spoil();
    const refused = await directed.daemon.call('POST', `/v1/switches/${trial.id}/confirm`, {});
    expect(refused).toMatchObject({ status: 503 });
    await operator.expectReached('customer', 'mail', 'mail-b');
    const back = await directed.daemon.call('POST', `/v1/switches/${trial.id}/rollback`, {});
    expect(back).toMatchObject({ status: 503 });
    expect((back.body as Problem).detail).toMatch(/back on mail-a.*could not be written down/);
    await operator.expectReached('customer', 'mail', 'mail-a');
    await mend();
    expect(await untilReady(true)).toMatchObject({ ready: true });
    expect(await operator.switchById(trial.id)).toMatchObject({ state: 'rolled-back' });
    expect((await operator.journal()).filter(({ kind }) => kind === 'rollback')[0]).toMatchObject({
      services: ['mail', 'ldap'],
      details: { switch: trial.id },
    });
    await directed.daemon.kill();
    await directed.daemon.start();
    expect(await operator.switchById(trial.id)).toMatchObject({ state: 'rolled-back' });
    await operator.expectReached('customer', 'mail', 'mail-a');
  });

  it('takes no rollback back, though the director that did it died before it could write it down', async () => {
    const trial = await operator.switch(['mail', 'ldap'], { force: true });
    await spoil();
    await operator.must(503, 'POST', `/v1/switches/${trial.id}/rollback`, {});
    await directed.daemon.kill();
    await mend();
    const seen = new Set<string | null>();
    const asked = new AbortController();
    const asking = (async () => {
      while (!asked.signal.aborted)
        for (const domu of await operator.reached('customer', 'mail')) seen.add(domu);
    })();
    await directed.daemon.start();
    asked.abort();
    await asking;
    expect([...seen]).toEqual(['mail-a']);
    expect(await operator.switchById(trial.id)).toMatchObject({ state: 'rolled-back' });
  });
});

it('starts on a disk that is full, says so, and rolls back', async () => {
  const trial = await operator.switch(['mail', 'ldap'], { force: true });
  await disk.fill();
  try {
    await directed.daemon.kill();
    directed.daemon.launch();
    const told = async (): Promise<string> => (await ready()).problems.join();
    await expect.poll(told, { timeout: TOLD_WITHIN }).toMatch(/cannot be written/);
    await operator.expectReached('customer', 'mail', 'mail-b');
    const back = await directed.daemon.call('POST', `/v1/switches/${trial.id}/rollback`, {});
    expect((back.body as Problem).detail).toMatch(/back on mail-a.*could not be written down/);
    await operator.expectReached('customer', 'mail', 'mail-a');
  } finally {
    await disk.empty();
  }
  expect(await untilReady(true)).toMatchObject({ ready: true });
  const journal = await operator.journal();
  expect(journal.slice(0, 2).map(({ kind }) => kind)).toEqual(['rollback', 'start']);
});

describe('where the store is not what it was', () => {
  const store = (): string => `${state}/director.sqlite`;
  let kept: string;

  beforeAll(async () => {
    kept = await mkdtemp(join(tmpdir(), 'director-kept-'));
    await directed.daemon.stop();
    for (const name of await readdir(state)) await copyFile(`${state}/${name}`, `${kept}/${name}`);
  });
  afterEach(async () => {
    for (const name of await readdir(state)) await rm(`${state}/${name}`);
    for (const name of await readdir(kept)) await copyFile(`${kept}/${name}`, `${state}/${name}`);
  });
  afterAll(async () => {
    await directed.daemon.start();
    await rm(kept, { recursive: true, force: true });
  });

  /** Starts the daemon, which has to refuse; answers what it said, the kernel being as it was. */
  async function refusesToStart(): Promise<string> {
    const before = await kernelText(directed.world);
    const argv = [...DIRECTOR, 'serve', '--config', directed.daemon.configFile];
    const { code, stderr } = await directed.world.exec('dom0', argv, { timeout: 20_000 });
    expect(code).toBe(1);
    expect(await kernelText(directed.world)).toBe(before);
    await operator.expectReached('customer', 'mail', 'mail-a');
    return stderr;
  }

  /** Bytes that mean nothing. */
  async function overwrite(position: number, length: number): Promise<void> {
    const file = await open(store(), 'r+');
    await file.write(Buffer.alloc(length, 0xa5), 0, length, position);
    await file.close();
  }

  it('refuses one that is damaged in its header, and says how to go on', async () => {
    await overwrite(0, 64);
    expect(await refusesToStart()).toMatch(/is damaged[\s\S]*Put a backup in its place/);
  });

  it('refuses one that is damaged in the middle, and says how to go on', async () => {
    for (let page = 2; page < 8; page++) await overwrite(page * 4096, 512);
    expect(await refusesToStart()).toMatch(/is damaged[\s\S]*Put a backup in its place/);
  });

  it('refuses one of a newer version', async () => {
    const db = new Database(store());
    db.pragma('user_version = 99');
    db.close();
    expect(await refusesToStart()).toMatch(/newer version of the director \(schema 99/);
  });

  it('refuses to start on a disk that is read-only', async () => {
    await disk.remount('ro');
    try {
      expect(await refusesToStart()).toMatch(/cannot open the store[\s\S]*is the directory writable/);
    } finally {
      await disk.remount('rw');
    }
  });

  it('starts with the one that was kept', async () => {
    await directed.daemon.start();
    expect((await operator.journal()).some(({ kind }) => kind === 'rollback')).toBe(true);
    await directed.daemon.stop();
  });
});

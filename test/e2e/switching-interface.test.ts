import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type {
  JournalEntry,
  PlanView,
  Problem,
  ServiceView,
  SwitchView,
  TesterView,
  WhoamiView,
} from '../../src/api/contract.ts';
import { run } from '../../src/lab/run.ts';
import type { RunResult } from '../../src/lab/run.ts';
import { CLIENTS, TESTERS } from '../../src/lab/topology.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { editConfig } from './support/edit-config.ts';
import { http } from './support/http.ts';
import { Metrics } from './support/metrics.ts';
import { Operator } from './support/operator.ts';
import { DIRECTOR } from './support/scripts.ts';

const TOKEN = 'a-token-of-the-deploy-robot';
const URL = 'http://127.0.0.1:8440';

let directed: DirectedWorld;
let operator: Operator;

beforeAll(async () => {
  directed = await directedWorld();
  operator = new Operator(directed);
  const { daemon } = directed;
  await daemon.stop();
  await editConfig(daemon.configFile, (config) => {
    config['listen'] = { socket: daemon.socket, http: '127.0.0.1:8440' };
    config['tokens'] = [{ name: 'robot', sha256: createHash('sha256').update(TOKEN).digest('hex') }];
  });
  await daemon.start();
  await daemon.healthy();
});
afterEach(() => operator.settleAll());
afterAll(() => directed.end());

/** What a command printed on standard output as JSON; it must have succeeded. */
async function json(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await directed.director('--json', ...args);
  expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** What a command tells people: one line, without the breaks that a terminal's width asks for. */
async function told(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await directed.director(...args);
  expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: '' });
  return stdout.replaceAll(/\s+/g, ' ');
}

describe('the command line', () => {
  it('tells the same as the API, for people and as JSON', async () => {
    const trial = (await json('switch', 'mail', '--to', 'secondary', '--reason', 'mail 2.0')) as SwitchView;
    expect(trial).toMatchObject({ state: 'trial', services: ['mail'], reason: 'mail 2.0' });
    const steady = ({ primary, secondary, ...rest }: ServiceView): unknown => ({
      ...rest,
      domus: [primary.domu, secondary.domu],
    });
    const [all, one] = [await json('status'), await json('status', 'mail')];
    expect(steady(one as ServiceView)).toEqual(steady(await operator.service('mail')));
    expect((all as ServiceView[]).map(({ name, phase }) => [name, phase])).toEqual([
      ['mail', 'trial'],
      ['ldap', 'settled'],
    ]);
    expect(await told('status')).toMatch(/mail .*mail-b.*ldap .*ldap-a/);
    expect(await told('status', 'mail')).toMatch(/mail-b.*mail 2\.0/);

    const journal = (await json('journal', '-n', '3')) as JournalEntry[];
    expect(journal).toEqual(await operator.journal(3));
    expect(journal[0]).toMatchObject({ kind: 'switch', services: ['mail'], why: 'mail 2.0' });
    expect(await told('journal', '-n', '1')).toMatch(/mail goes to mail-b/);

    expect((await json('plan')) as PlanView).toMatchObject({ changes: [] });
    expect(await told('plan')).toMatch(/Nothing to change/);

    const testers = (await json('testers', 'mail')) as TesterView[];
    expect(testers.map(({ source }) => source).toSorted()).toEqual([...TESTERS].toSorted());
    expect(await told('testers', 'mail')).toMatch(/198\.51\.100\.7 permanent/);

    const { ipv4 } = CLIENTS.customer;
    const { services } = (await json('whoami', '--source', ipv4)) as WhoamiView;
    expect(services.map(({ service, domu }) => [service, domu])).toEqual([
      ['mail', 'mail-b'],
      ['ldap', 'ldap-a'],
    ]);
    expect(await told('whoami', '--source', ipv4)).toMatch(/198\.51\.100\.20.*mail-b.*on trial/);
    expect(await json('rollback', 'mail')).toMatchObject({ id: trial.id, state: 'rolled-back' });
  });

  it('ends with 0 done, 1 refused, 2 bad usage, 3 no daemon reached', async () => {
    const code = async (...args: string[]): Promise<number> => (await directed.director(...args)).code;
    expect(await code('status')).toBe(0);
    expect(await code('status', 'nobody')).toBe(1);
    expect(await code('confirm', 'mail')).toBe(1);
    expect(await code('switch', 'mail', '--to', 'primary')).toBe(1);
    expect(await code('switch', 'mail')).toBe(2);
    expect(await code('switch', 'mail', '--to', 'nowhere')).toBe(2);
    expect(await code('frobnicate')).toBe(2);
    expect(await code('--socket', `${directed.directory}/nobody.sock`, 'status')).toBe(3);
    expect(await code('--url', 'http://127.0.0.1:1', 'status')).toBe(3);
  });

  it('says on standard error what was refused, as JSON too', async () => {
    const { stdout, stderr, code } = await directed.director('--json', 'status', 'nobody');
    expect({ stdout, code }).toEqual({ stdout: '', code: 1 });
    expect(JSON.parse(stderr)).toMatchObject({ status: 404, title: 'Not Found' });
  });

  it('holds and releases a service: nothing passes meanwhile, and no connection is lost', async () => {
    const held = directed.world.hold('customer', { host: 'mail', port: 25, every: 50 });
    await held.next(({ text }) => text !== '', 10_000);
    await told('hold', 'mail', '--for', '5m', '--reason', 'bring the data over');
    expect(await operator.service('mail')).toMatchObject({ held: true });
    expect(await operator.reached('customer', 'mail', 400)).toEqual(['TIMEOUT', 'TIMEOUT']);
    const atHold = held.answers.length;
    expect(await operator.reached('tester', 'mail', 400)).toEqual(['TIMEOUT', 'TIMEOUT']);
    expect(held.answers.length).toBe(atHold);
    await operator.expectReached('customer', 'ldap', 'ldap-a');
    await told('release', 'mail');
    expect(await held.next(() => true, 10_000)).toMatchObject({ error: null });
    await operator.expectReached('customer', 'mail', 'mail-a');
    await held.stop();
    expect((await directed.director('release', 'mail')).code).toBe(1);
    expect((await operator.journal(2)).map(({ kind, why }) => [kind, why])).toEqual([
      ['release', null],
      ['hold', 'bring the data over'],
    ]);
  });

  it('closes and opens testing, and refuses to enrol a tester while it is closed', async () => {
    await operator.expectReached('tester', 'mail', 'mail-b');
    await told('testing', 'mail', 'close');
    await operator.expectReached('tester', 'mail', 'mail-a');
    const { ipv4 } = CLIENTS.customer;
    const refused = await directed.director('--json', 'testers', 'mail', 'add', ipv4, '--for', '1h');
    expect(refused.code).toBe(1);
    const problem = JSON.parse(refused.stderr) as Problem;
    expect(problem).toMatchObject({ status: 409 });
    expect(problem.detail).toMatch(/testing of mail is closed/);
    await told('testing', 'mail', 'open');
    await operator.expectReached('tester', 'mail', 'mail-b');
    await told('testers', 'mail', 'add', ipv4, '--for', '1h', '--note', 'Ann');
    expect((await operator.reached('customer', 'mail'))[0]).toBe('mail-b');
    expect(await told('testers', 'mail')).toMatch(/198\.51\.100\.20 .* Ann/);
    await told('testers', 'mail', 'remove', ipv4);
    await operator.expectReached('customer', 'mail', 'mail-a');
  });
});

describe('an Idempotency-Key', () => {
  it('makes a repeated POST answer as it did the first time, and do nothing; another request is refused', async () => {
    const { socket } = directed.daemon;
    const headers = { 'idempotency-key': 'one-switch-of-mail' };
    const body = { services: ['mail'], to: 'secondary' };
    const first = await http(socket, 'POST', '/v1/switches', { headers, body });
    expect(first.status).toBe(201);
    const { id } = first.body as SwitchView;
    expect(first.headers.location).toBe(`/v1/switches/${id}`);
    const before = (await operator.journal(1))[0];

    await directed.daemon.kill();
    await directed.daemon.start();
    const again = await http(socket, 'POST', '/v1/switches', { headers, body });
    expect(again).toMatchObject({ status: 201, text: first.text });
    expect(again.headers).toMatchObject({
      'idempotency-replayed': 'true',
      location: first.headers.location,
    });
    expect((await operator.journal(2)).map(({ kind }) => kind)).toEqual(['start', before?.kind]);

    const other = await http(socket, 'POST', '/v1/switches', { headers, body: { ...body, reason: 'other' } });
    expect(other.status).toBe(422);
    expect((await operator.service('mail')).switch?.id).toBe(id);
  });
});

describe('the metrics', () => {
  const scrape = (): Promise<Metrics> => Metrics.of(directed.daemon.socket);

  it('tell who is live, the trial and its deadline, and the outcomes of switches', async () => {
    const before = await scrape();
    const trial = await operator.switch('mail');
    const during = await scrape();
    expect(during.value('service_live', { service: 'mail', role: 'secondary' })).toBe(1);
    expect(during.value('service_live', { service: 'mail', role: 'primary' })).toBe(0);
    expect(during.value('service_live', { service: 'ldap', role: 'primary' })).toBe(1);
    expect(during.value('service_trial', { service: 'mail' })).toBe(1);
    expect(during.value('trial_deadline_seconds', { service: 'mail' })).toBeCloseTo(
      Date.parse(trial.confirmBy ?? '') / 1000,
      3,
    );
    expect(during.value('trial_deadline_seconds', { service: 'ldap' })).toBe(null);
    await operator.rollBack(trial);
    await operator.must(404, 'POST', '/v1/switches', { services: ['nobody'], to: 'secondary' });
    const after = await scrape();
    expect(after.value('service_trial', { service: 'mail' })).toBe(0);
    expect(after.value('trial_deadline_seconds', { service: 'mail' })).toBe(null);
    expect(after.growth(before, 'switches_total', { outcome: 'trial' })).toBe(1);
    expect(after.growth(before, 'switches_total', { outcome: 'rolled_back' })).toBe(1);
    expect(after.growth(before, 'switches_total', { outcome: 'confirmed' })).toBe(0);
    expect(after.growth(before, 'switch_flip_seconds_count', {})).toBe(2);
    expect(after.growth(before, 'switch_flip_seconds_sum', {})).toBeGreaterThan(0);
  });

  it('count the packets, bytes and flows of each DomU, both ways', async () => {
    const labels = { service: 'mail', role: 'primary', domu: 'mail-a' };
    const before = await scrape();
    const held = directed.world.hold('customer', { host: 'mail', port: 25, every: 20 });
    await held.next(({ n }) => n > 10, 10_000);
    const after = await scrape();
    for (const direction of ['in', 'out']) {
      const packets = after.growth(before, 'packets_total', { ...labels, direction });
      const bytes = after.growth(before, 'bytes_total', { ...labels, direction });
      expect(packets).toBeGreaterThan(10);
      expect(bytes).toBeGreaterThan(40 * packets);
    }
    // A count of flows serves everybody who asks within half a second.
    await expect.poll(async () => (await scrape()).value('flows', labels)).toBeGreaterThan(0);
    expect(after.value('flows', { service: 'mail', role: 'secondary', domu: 'mail-b' })).not.toBe(null);
    await held.stop();
  });
});

describe('the API over TCP inside the Dom0', () => {
  const remote = (...args: string[]): Promise<RunResult> =>
    directed.world.exec('dom0', [...DIRECTOR, '--json', '--url', URL, ...args], {
      env: { ...process.env, DIRECTOR_TOKEN: '' },
      timeout: 30_000,
    });

  it('is there for everybody in the Dom0 to read, and for nobody elsewhere', async () => {
    const { code, stdout } = await remote('status', 'mail');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ name: 'mail', live: 'primary' });
    const { code: elsewhere } = await run([...DIRECTOR, '--url', URL, 'status'], { timeout: 30_000 });
    expect(elsewhere).toBe(3);
  });

  it.each([
    ['no token', []],
    ['a wrong token', ['--token', 'guessed']],
  ])('changes nothing for who has %s', async (_, token) => {
    const { code, stderr } = await remote(...token, 'switch', 'mail', '--to', 'secondary');
    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ status: 401 });
    expect(await operator.service('mail')).toMatchObject({ phase: 'settled' });
    await operator.expectReached('customer', 'mail', 'mail-a');
  });

  it("does what a token's owner asks, and the journal has the token's name and never the token", async () => {
    const { code, stdout } = await remote('--token', TOKEN, 'switch', 'mail', '--to', 'secondary');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ state: 'trial', by: 'robot' });
    await operator.expectReached('customer', 'mail', 'mail-b');
    expect((await operator.journal(1))[0]).toMatchObject({ kind: 'switch', by: 'robot' });
    expect(JSON.stringify(await operator.journal())).not.toContain(TOKEN);
  });

  it('does not read the configuration again, token or not: that is for who is on the host', async () => {
    const { code, stderr } = await remote('--token', TOKEN, 'reload');
    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ status: 403 });
  });
});

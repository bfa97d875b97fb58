import { writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JournalEntry, Problem, ServiceView } from '../../src/api/contract.ts';
import type { Held, RunningLoad } from '../../src/lab/clients.ts';
import { definitionOf } from '../../src/lab/config-file.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { editConfig } from './support/edit-config.ts';
import type { ConfigFile } from './support/edit-config.ts';
import { http } from './support/http.ts';
import type { HttpAnswer } from './support/http.ts';
import { Operator } from './support/operator.ts';

let directed: DirectedWorld;
let operator: Operator;

beforeAll(async () => {
  directed = await directedWorld({ services: 3 });
  operator = new Operator(directed);
});
afterAll(() => directed.end());

/** What mail's clients do meanwhile: whatever happens to others must be nothing to them. */
class Bystanders {
  readonly #held: readonly Held[];
  readonly #load: RunningLoad;

  constructor() {
    const { world } = directed;
    this.#held = ([4, 6] as const).flatMap((family) => [
      world.hold('customer', { host: 'mail', port: 25, family, every: 50 }),
      world.hold('customer', { host: 'mail', port: 514, protocol: 'udp', family, every: 50 }),
    ]);
    this.#load = world.startLoad('customer', { host: 'mail', port: 8000, workers: 2, pause: 5 });
  }

  async ready(): Promise<void> {
    await Promise.all(this.#held.map((one) => one.next(({ text }) => text !== '', 10_000)));
  }

  async expectNothingHappened(): Promise<void> {
    const { primary } = await operator.roles('mail');
    await Promise.all(this.#held.map((one) => one.next(() => true, 10_000)));
    for (const { answers } of this.#held) {
      expect(answers.filter(({ text }) => !text.startsWith(primary))).toEqual([]);
      expect(answers.filter(({ error }) => error !== null)).toEqual([]);
    }
    const { failures, byDomu } = await this.#load.stop();
    expect(failures).toEqual({});
    expect(Object.keys(byDomu)).toEqual([primary]);
    await Promise.all(this.#held.map((one) => one.stop()));
  }
}

async function newestId(): Promise<number> {
  return (await operator.journal(1))[0]?.id ?? 0;
}

/** SIGHUP, and what the journal says of it. */
async function reloaded(): Promise<JournalEntry> {
  const after = await newestId();
  directed.daemon.process.signal('SIGHUP');
  return vi.waitFor(
    async () => {
      const entries = await operator.journal(10);
      const found = entries.find(({ id, kind }) => id > after && kind === 'reload');
      if (found === undefined) throw new Error('the journal says nothing of the reload');
      return found;
    },
    { timeout: 15_000 },
  );
}

const edit = (change: (config: ConfigFile) => void): Promise<() => Promise<void>> =>
  editConfig(directed.daemon.configFile, change);

/** Every view but for what changes by itself. */
async function views(): Promise<unknown> {
  const all = (await operator.must(200, 'GET', '/v1/services')) as ServiceView[];
  return all.map(({ primary, secondary, ...rest }) => ({
    ...rest,
    domus: [primary.domu, secondary.domu],
  }));
}

describe('a reload', () => {
  let bystanders: Bystanders;
  let restore: () => Promise<void> = () => Promise.resolve();
  beforeEach(async () => {
    bystanders = new Bystanders();
    await bystanders.ready();
  });
  afterEach(async () => {
    await operator.settleAll();
    await restore();
    await reloaded();
    await bystanders.expectNothingHappened();
  });

  it('that removes a service and adds it again is nothing to the others', async () => {
    restore = await edit(({ services }) => delete services['svc-3']);
    expect(await reloaded()).toMatchObject({ by: 'signal', services: ['svc-3'] });
    await operator.must(404, 'GET', '/v1/services/svc-3');
    expect(await operator.reached('customer', 'svc-3', 500)).not.toContain('svc-3-a');
    await operator.expectReached('customer', 'ldap', 'ldap-a');
    await restore();
    expect(await reloaded()).toMatchObject({ services: ['svc-3'] });
    await operator.expectReached('customer', 'svc-3', 'svc-3-a');
    await operator.expectReached('tester', 'svc-3', 'svc-3-b');
  });

  it('that changes a service is nothing to the others, nor to its own other ports', async () => {
    const own = directed.world.hold('customer', { host: 'svc-3', port: 389, every: 50 });
    await own.next(({ text }) => text !== '', 10_000);
    const address = { host: 'svc-3', port: 80 };
    expect((await directed.world.ask('customer', { ...address, timeout: 500 })).domu).toBe(null);
    restore = await edit(({ services }) => {
      services['svc-3'] = {
        ...services['svc-3'],
        testers: [],
        ports: ['389/tcp', '389/udp', { port: '80/tcp', to: 636 }],
      };
    });
    await reloaded();
    expect(await directed.world.ask('customer', address)).toMatchObject({ domu: 'svc-3-a' });
    await operator.expectReached('tester', 'svc-3', 'svc-3-a');
    expect((await directed.world.ask('customer', { ...address, port: 636, timeout: 500 })).domu).toBe(null);
    expect(await own.next()).toMatchObject({ text: 'svc-3-a: line', error: null });
    await own.stop();
  });

  it('with nothing new changes nothing, and says so', async () => {
    const before = await views();
    expect((await reloaded()).text).toMatch(/no service has changed/);
    expect(await views()).toEqual(before);
  });

  it('of a wrong file changes nothing and tells each fault with its place', async () => {
    const before = await views();
    restore = await edit(({ services }) => {
      services['mail'] = { ...services['mail'], ports: ['25/tcp', '70000/tcp'] };
      services['svc-3'] = { ...services['svc-3'], addresses: ['192.0.2.38'] };
      delete services['ldap']?.['bridge'];
    });
    const { text, details } = await reloaded();
    expect(details).toMatchObject({ refused: true });
    expect(text).toMatch(/everything goes on as before/);
    expect(text).toMatch(/services\.mail\.ports/);
    expect(text).toMatch(/services\.ldap/);
    const { code, stderr } = await directed.director('reload');
    expect(code).toBe(1);
    expect(stderr).toMatch(/services\.mail\.ports.*line \d+/);
    expect(await views()).toEqual(before);
    for (const service of ['mail', 'ldap', 'svc-3'])
      await operator.expectReached('customer', service, `${service}-a`);
  });

  it('of what is no YAML changes nothing', async () => {
    const before = await views();
    restore = await edit(() => undefined);
    await writeFile(directed.daemon.configFile, 'services: {mail: [');
    expect(await reloaded()).toMatchObject({ details: { refused: true } });
    expect(await views()).toEqual(before);
  });

  it('that changes a service on trial is refused whole, and the trial goes on', async () => {
    const trial = await operator.switch('svc-3');
    const before = await views();
    restore = await edit(({ services }) => {
      services['svc-3'] = { ...services['svc-3'], testers: [] };
      services['ldap'] = { ...services['ldap'], testers: [] };
    });
    expect((await reloaded()).text).toMatch(/svc-3.*is on trial/s);
    expect(await views()).toEqual(before);
    await operator.expectReached('customer', 'svc-3', 'svc-3-b');
    await operator.expectReached('tester', 'ldap', 'ldap-b');
    await operator.rollBack(trial);
    expect((await reloaded()).services.toSorted()).toEqual(['ldap', 'svc-3']);
    await operator.expectReached('tester', 'ldap', 'ldap-a');
  });
});

describe('a definition over the API', () => {
  const put = (name: string, body: unknown, headers: Record<string, string> = {}): Promise<HttpAnswer> =>
    http(directed.daemon.socket, 'PUT', `/v1/services/${name}`, { body, headers });
  const remove = (name: string, headers: Record<string, string> = {}): Promise<HttpAnswer> =>
    http(directed.daemon.socket, 'DELETE', `/v1/services/${name}`, { headers });
  const etagOf = async (name: string): Promise<string> =>
    (await http(directed.daemon.socket, 'GET', `/v1/services/${name}`)).headers.etag ?? '';
  const definition = (changes: Record<string, unknown> = {}): Record<string, unknown> =>
    definitionOf(directed.world.service('svc-3'), { service: changes });

  let restore: () => Promise<void>;
  beforeAll(async () => {
    restore = await edit(({ services }) => delete services['svc-3']);
    await reloaded();
  });
  afterAll(async () => {
    await restore();
    await reloaded();
  });

  beforeEach(async () => {
    await put('svc-3', definition());
  });

  async function restart(): Promise<void> {
    await directed.daemon.kill();
    await directed.daemon.start();
  }

  it('directs a new service, counts after a restart, and is nothing to the others', async () => {
    await remove('svc-3');
    const bystanders = new Bystanders();
    await bystanders.ready();
    const made = await put('svc-3', definition());
    expect(made).toMatchObject({ status: 201, body: { name: 'svc-3', source: 'api', generation: 1 } });
    expect(made.headers.etag).toBe('"1"');
    await operator.expectReached('customer', 'svc-3', 'svc-3-a');
    await restart();
    expect(await operator.service('svc-3')).toMatchObject({ source: 'api', generation: 1 });
    await operator.expectReached('customer', 'svc-3', 'svc-3-a');
    await operator.expectReached('tester', 'svc-3', 'svc-3-b');
    await bystanders.expectNothingHappened();
  });

  it('that somebody else has overtaken is refused: If-Match', async () => {
    const mine = await etagOf('svc-3');
    const theirs = await put('svc-3', definition({ testers: [] }), { 'if-match': mine });
    expect(theirs.status).toBe(200);
    expect(theirs.headers.etag).not.toBe(mine);
    const stale = await put('svc-3', definition(), { 'if-match': mine });
    expect(stale.status).toBe(412);
    expect(stale.headers['content-type']).toBe('application/problem+json');
    expect((await remove('svc-3', { 'if-match': mine })).status).toBe(412);
    await operator.expectReached('tester', 'svc-3', 'svc-3-a');
    expect((await put('svc-3', definition(), { 'if-match': await etagOf('svc-3') })).status).toBe(200);
    await operator.expectReached('tester', 'svc-3', 'svc-3-b');
  });

  it('with an address that another service owns is refused, each fault in its place', async () => {
    const before = await etagOf('svc-3');
    const { ipv4 } = directed.world.domu('mail-a');
    const { status, body } = await put(
      'svc-3',
      definition({ addresses: [ipv4, directed.world.service('svc-3').ipv6] }),
    );
    expect(status).toBe(422);
    const { errors, detail } = body as Problem;
    expect(detail).toMatch(/nothing was changed/);
    expect(errors.length).toBeGreaterThan(0);
    expect(JSON.stringify(errors)).toMatch(/mail/);
    expect(await etagOf('svc-3')).toBe(before);
    await operator.expectReached('customer', 'svc-3', 'svc-3-a');
    await operator.expectReached('customer', 'mail', 'mail-a');
  });

  it('that is wrong is refused with an entry for each fault', async () => {
    const { status, body } = await put('svc-3', definition({ ports: ['0/tcp'], domus: [] }));
    expect(status).toBe(400);
    expect((body as Problem).errors.length).toBeGreaterThanOrEqual(2);
    await operator.expectReached('customer', 'svc-3', 'svc-3-a');
  });

  it('of a service on trial is refused, and so is its removal', async () => {
    const trial = await operator.switch('svc-3');
    expect((await put('svc-3', definition({ testers: [] }))).status).toBe(409);
    expect((await remove('svc-3')).status).toBe(409);
    await operator.expectReached('customer', 'svc-3', 'svc-3-b');
    await operator.rollBack(trial);
  });

  it('that is removed is gone, also after a restart, and is nothing to the others', async () => {
    const bystanders = new Bystanders();
    await bystanders.ready();
    expect(await remove('svc-3', { 'if-match': await etagOf('svc-3') })).toMatchObject({
      status: 204,
      text: '',
    });
    expect(await operator.reached('customer', 'svc-3', 500)).not.toContain('svc-3-a');
    expect((await remove('svc-3')).status).toBe(404);
    await restart();
    await operator.must(404, 'GET', '/v1/services/svc-3');
    await bystanders.expectNothingHappened();
  });

  it("overrules the file's, also after a restart, until the file's own word changes", async () => {
    const ldap = directed.world.service('ldap');
    expect((await put('ldap', definitionOf(ldap, { service: { testers: [] } }))).status).toBe(200);
    await operator.expectReached('tester', 'ldap', 'ldap-a');
    await restart();
    expect(await operator.service('ldap')).toMatchObject({ source: 'api', testers: [] });
    await operator.expectReached('tester', 'ldap', 'ldap-a');
    expect((await remove('ldap')).status).toBe(204);
    await restart();
    await operator.must(404, 'GET', '/v1/services/ldap');
    await reloaded();
    await operator.must(404, 'GET', '/v1/services/ldap');
    const back = await edit(({ services }) => {
      services['ldap'] = { ...services['ldap'], cutover: { confirmWithin: '20m' } };
    });
    await reloaded();
    expect(await operator.service('ldap')).toMatchObject({ source: 'file' });
    await operator.expectReached('customer', 'ldap', 'ldap-a');
    await operator.expectReached('tester', 'ldap', 'ldap-b');
    await back();
    await reloaded();
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/lib/errors.ts';
import type { RefusalKind } from '../../src/lib/errors.ts';
import { formatPort } from '../../src/model/service.ts';
import { ACTOR, Bench, definition } from './support/engine-bench.ts';

const MINUTE = 60_000;
const MAIL = '192.0.2.25';
const [file, newerFile, api] = ['26/tcp', '27/tcp', '28/tcp'].map((port) =>
  definition('mail', 25, { ports: ['25/tcp', port] }),
);
const ldap = definition('ldap', 38);

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open({ services: { mail: file!, ldap } });
});
afterEach(() => bench.close());

/** Of mail: who defined what counts, as `file 25/tcp`; null where nobody does. */
async function word(): Promise<string | null> {
  const snapshot = (await bench.engine.services()).find(({ state }) => state.service.name === 'mail');
  return snapshot === undefined
    ? null
    : `${snapshot.source} ${snapshot.state.service.ports.map(formatPort).at(-1) ?? ''}`;
}

const define = (what: object | undefined, ifMatch?: number): Promise<{ created: boolean }> =>
  bench.engine.define('mail', what, ACTOR, ifMatch);

async function refusedAs(kind: RefusalKind, work: () => Promise<unknown>): Promise<Refusal> {
  const [state, kernel] = [await bench.state(), bench.kernel.dump()];
  const error: unknown = await work().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Refusal);
  expect(await bench.state()).toEqual(state);
  expect(bench.kernel.dump()).toBe(kernel);
  expect((error as Refusal).kind).toBe(kind);
  return error as Refusal;
}

/** The file is read again by whoever runs, or by the next who starts: both must come to the same. */
describe.each(['a reload', 'a restart'])('the newest word of file and API, over %s', (how) => {
  const readAgain = async (services: Record<string, object>): Promise<void> => {
    bench.configure(services);
    if (how === 'a restart') await bench.restart();
    else await bench.engine.reload(ACTOR);
    await bench.expectKernelIsPlan();
  };

  it('is the API’s, until the file says something new of that service', async () => {
    expect(await define(api)).toMatchObject({ created: false });
    expect(await word()).toBe('api 28/tcp');
    await readAgain({ mail: file!, ldap: definition('ldap', 38, { ports: ['25/tcp', '636/tcp'] }) });
    expect(await word()).toBe('api 28/tcp');
    await readAgain({ mail: newerFile!, ldap });
    expect(await word()).toBe('file 27/tcp');
    await readAgain({ mail: newerFile!, ldap });
    expect(await word()).toBe('file 27/tcp');
  });

  it('is the file’s where it takes up or drops a service that the API defined', async () => {
    await bench.engine.remove('mail', ACTOR);
    await readAgain({ ldap });
    await define(api);
    await readAgain({ ldap });
    expect(await word()).toBe('api 28/tcp');
    await readAgain({ mail: file!, ldap });
    expect(await word()).toBe('file 26/tcp');
    await define(api);
    await readAgain({ ldap });
    expect(await word()).toBeNull();
    expect(await bench.reached(MAIL)).toBeNull();
  });

  it('is a removal over the API, until the file says something new; a definition after it counts again', async () => {
    await bench.engine.remove('mail', ACTOR);
    expect(await bench.reached(MAIL)).toBeNull();
    await readAgain({ mail: file!, ldap });
    expect(await word()).toBeNull();
    expect(await define(api)).toMatchObject({ created: true });
    await readAgain({ mail: file!, ldap });
    expect(await word()).toBe('api 28/tcp');
    await bench.engine.remove('mail', ACTOR);
    await readAgain({ mail: newerFile!, ldap });
    expect(await word()).toBe('file 27/tcp');
    await readAgain({ mail: newerFile!, ldap });
    expect(await word()).toBe('file 27/tcp');
  });

  it('changes no role, lease or hold of a service that stays', async () => {
    const { id } = await bench.engine.switchOver({ services: ['mail'], to: 'secondary' }, ACTOR);
    await bench.engine.confirm(id, ACTOR);
    await bench.engine.setTesting('mail', 'open', ACTOR);
    const source = { family: 4, address: '203.0.113.9', prefix: 32 } as const;
    await bench.engine.enrol('mail', source, { expiresIn: null, note: null }, ACTOR);
    await bench.engine.hold('mail', MINUTE, ACTOR);
    await readAgain({ mail: newerFile!, ldap });
    const { state } = await bench.snapshot('mail');
    expect(state).toMatchObject({ primary: 'b', testing: 'open', heldUntil: bench.clock.now() + MINUTE });
    expect(state.testers.map((tester) => tester.source.address)).toEqual(['198.51.100.7', '203.0.113.9']);
  });

  it('keeps a DomU in its role by its name, whatever order the definition names them in', async () => {
    const { id } = await bench.engine.switchOver({ services: ['mail'], to: 'secondary' }, ACTOR);
    await bench.engine.confirm(id, ACTOR);
    const domus = (...names: [string, string][]): object =>
      definition('mail', 25, { domus: names.map(([name, address]) => ({ name, addresses: [address] })) });
    await readAgain({ mail: domus(['mail-b', '10.25.0.3'], ['mail-a', '10.25.0.2']), ldap });
    expect(await bench.reached(MAIL)).toBe('10.25.0.3');
    // A new name takes the place, and so the role, of the one that it replaces.
    await readAgain({ mail: domus(['mail-b', '10.25.0.3'], ['mail-c', '10.25.0.4']), ldap });
    expect(await bench.reached(MAIL)).toBe('10.25.0.3');
    expect(await bench.reached(MAIL, '198.51.100.7')).toBe('10.25.0.3');
  });
});

describe('a definition', () => {
  it('that is wrong, does not fit, or is stale changes nothing', async () => {
    const wrong = await refusedAs('invalid', () => define({ ports: ['99999/tcp'] }));
    expect(wrong.faults.map(({ path }) => path)).toContain('services.mail.ports[0]');
    await refusedAs('unprocessable', () => define(definition('mail', 25, { addresses: ['192.0.2.38'] })));
    const { generation } = await bench.snapshot('mail');
    await define(api, generation);
    await refusedAs('stale', () => define(file, generation));
    await refusedAs('stale', () => bench.engine.remove('mail', ACTOR, generation));
    await refusedAs('stale', () => bench.engine.define('web', definition('web', 80), ACTOR, 1));
    await refusedAs('unknown', () => bench.engine.remove('nosuch', ACTOR));
  });

  it('stays while the service is on trial, and so does the service; a reload that would change it is refused whole', async () => {
    await bench.engine.switchOver({ services: ['mail'], to: 'secondary' }, ACTOR);
    await refusedAs('conflict', () => define(api));
    await refusedAs('conflict', () => bench.engine.remove('mail', ACTOR));
    for (const services of [{ mail: newerFile!, web: definition('web', 80) }, { ldap }]) {
      bench.configure(services);
      const refused = await refusedAs('unprocessable', () => bench.engine.reload(ACTOR));
      expect(refused.faults.map(({ path }) => path)).toEqual(['services.mail']);
    }
    bench.configure({ mail: file!, ldap, web: definition('web', 80) });
    await bench.engine.reload(ACTOR);
    expect((await bench.engine.services()).map(({ state }) => state.service.name)).toEqual([
      'mail',
      'ldap',
      'web',
    ]);
    await bench.expectKernelIsPlan();
  });

  it('that a reload finds wrong changes nothing and is journalled', async () => {
    bench.configure({ mail: definition('mail', 25, { ports: ['0/tcp'] }), ldap });
    const mark = bench.lastJournal();
    await refusedAs('unprocessable', () => bench.engine.reload(ACTOR));
    expect(bench.journalAfter(mark)).toMatchObject([{ kind: 'reload', details: { refused: true } }]);
  });
});

describe('the conntrack mark', () => {
  it('is never another service’s as long as there are others, and a free one’s once there are none', async () => {
    bench.close();
    bench = await Bench.open({ services: { one: definition('one', 1) }, mark: { mask: 0x000f0000 } });
    const idOf = async (name: string): Promise<number> => (await bench.snapshot(name)).state.id;
    const ids = [await idOf('one')];
    for (const [n, name] of ['two', 'three', 'four', 'five'].entries()) {
      bench.configure({ [name]: definition(name, n + 2) });
      await bench.engine.reload(ACTOR);
      await bench.expectKernelIsPlan();
      ids.push(await idOf(name));
    }
    expect(ids).toEqual([1, 2, 3, 1, 1]);
    await bench.restart();
    expect(await idOf('five')).toBe(1);
  });

  it('tells so many services apart, and one more is refused', async () => {
    bench.close();
    bench = await Bench.open({ services: { one: definition('one', 1) }, mark: { mask: 0x000e0000 } });
    const refused = await refusedAs('unprocessable', () =>
      bench.engine.define('two', definition('two', 2), ACTOR),
    );
    expect(`${refused.message}${refused.faults.map(({ message }) => message).join()}`).toMatch(/mask/);
    // In one reload, the new one takes the id of the one that goes.
    bench.configure({ two: definition('two', 2) });
    await bench.engine.reload(ACTOR);
    expect((await bench.snapshot('two')).state.id).toBe(1);
    await bench.expectKernelIsPlan();
  });
});

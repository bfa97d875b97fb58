import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import * as contract from '../../src/api/contract.ts';
import type { Access, App } from '../../src/api/context.ts';
import { appWith, SOCKET } from './support/api-double.ts';
import { stageOf } from './support/director-double.ts';
import type { DirectorDouble } from './support/director-double.ts';

let app: App;
let director: DirectorDouble;
let close: () => Promise<void> = () => Promise.resolve();

async function open(access: Access = SOCKET): Promise<void> {
  ({ app, director, close } = await appWith(access));
}
beforeEach(() => open());
afterEach(() => close());

const by = { by: 'socket', reason: undefined };

describe('over the socket', () => {
  it('a stage begins, and its answer says how it is found again', async () => {
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/services/mail/stage',
      payload: { reason: '2.0' },
    });
    expect(answer.statusCode).toBe(202);
    expect(contract.stageView.strict().parse(answer.json())).toMatchObject({ id: 'st-1', state: 'staging' });
    expect(director.calls).toEqual([['stage', 'mail', { wait: true }, { by: 'socket', reason: '2.0' }]]);
  });

  it('a stage without a body waits, and one that shall not does not', async () => {
    await app.inject({ method: 'POST', url: '/v1/services/mail/stage' });
    await app.inject({ method: 'POST', url: '/v1/services/mail/stage', payload: { wait: false } });
    expect(director.calls.map(([, , options]) => options)).toEqual([{ wait: true }, { wait: false }]);
  });

  it('a POST that is repeated with its key begins nothing anew', async () => {
    const headers = { 'idempotency-key': 'k1' };
    for (const replayed of [undefined, 'true']) {
      const answer = await app.inject({ method: 'POST', url: '/v1/services/mail/stage', headers });
      expect([answer.statusCode, answer.headers['idempotency-replayed']]).toEqual([202, replayed]);
    }
    expect(director.calls).toHaveLength(1);
  });

  it('is taken away, with its volumes where that is asked for', async () => {
    await app.inject({ method: 'DELETE', url: '/v1/services/mail/stage' });
    const { statusCode } = await app.inject({ method: 'DELETE', url: '/v1/services/mail/stage?purge=true' });
    expect(statusCode).toBe(202);
    expect(director.calls).toEqual([
      ['unstage', 'mail', { purge: false }, by],
      ['unstage', 'mail', { purge: true }, by],
    ]);
  });

  it('lists stages with their volumes, and which of them are there', async () => {
    const volume = { group: 'vg0', origin: 'mail-a', thin: true, check: null };
    director.stageLog.push(
      stageOf({
        volumes: [
          { ...volume, name: 'x', target: 'xvda', device: '/dev/vg0/x' },
          { ...volume, name: 'y', target: 'xvdb', device: '/dev/vg0/y' },
        ],
        made: [{ kind: 'volume', group: 'vg0', name: 'x' }],
      }),
    );
    const [view] = contract.stageView
      .strict()
      .array()
      .parse((await app.inject('/v1/stages?service=mail')).json());
    expect(view?.volumes).toEqual([
      { device: '/dev/vg0/x', target: 'xvda', origin: 'vg0/mail-a', thin: true, isThere: true, check: null },
      { device: '/dev/vg0/y', target: 'xvdb', origin: 'vg0/mail-a', thin: true, isThere: false, check: null },
    ]);
    expect((await app.inject('/v1/stages/st-1')).json()).toEqual(view);
    expect((await app.inject('/v1/stages/st-2')).statusCode).toBe(404);
    expect((await app.inject('/v1/stages?service=ldap')).json()).toEqual([]);
  });

  it('lists DomUs, ends one, and reads its console', async () => {
    const row = { domu: 'mail-b', service: 'mail', role: 'secondary', live: false } as const;
    director.domuRows = [{ ...row, state: 'running', domid: 7, stage: 'st-1' }];
    director.console = ['one', 'two', 'three'];
    expect(
      contract.domuRow
        .strict()
        .array()
        .parse((await app.inject('/v1/domus')).json()),
    ).toHaveLength(1);
    expect((await app.inject('/v1/domus/mail-b/console?lines=2')).json()).toEqual({
      domu: 'mail-b',
      lines: ['two', 'three'],
    });
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/domus/mail-b/destroy',
      payload: { reason: 'hangs' },
    });
    expect(answer.statusCode).toBe(204);
    expect(director.calls).toEqual([['destroyDomu', 'mail-b', { by: 'socket', reason: 'hangs' }]]);
  });

  it.each(['..%2Fetc%2Fpasswd', '-b', 'a'.repeat(64)])('takes no other name for a DomU: %s', async (name) => {
    expect((await app.inject(`/v1/domus/${name}/console`)).statusCode).toBe(400);
  });
});

describe('over the network', () => {
  const tokens = () => [{ name: 'ci', sha256: createHash('sha256').update('secret').digest('hex') }];

  it('a console is for those with a token alone, and who looks at stages and DomUs needs none', async () => {
    await close();
    await open({ via: 'tcp', tokens, knowsHost: () => false });
    const get = async (url: string, headers = {}): Promise<number> =>
      (await app.inject({ url, headers: { host: 'localhost', ...headers } })).statusCode;
    expect(await get('/v1/domus/mail-b/console')).toBe(401);
    expect(await get('/v1/domus/mail-b/console', { authorization: 'Bearer secret' })).toBe(200);
    expect(await get('/v1/stages')).toBe(200);
    expect(await get('/v1/domus')).toBe(200);
  });
});

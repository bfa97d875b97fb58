import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { guestView } from '../../src/api/contract.ts';
import { vif } from '../../src/vif.ts';
import { appWith } from './support/api-double.ts';
import { FakeDaemon, cli } from './support/cli.ts';

const EXAMPLE = fileURLToPath(new URL('../../rules/director.example.yaml', import.meta.url));
const CALL = '/v1/services/mail/domus/mail-b/network';

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await new FakeDaemon().start();
});
afterEach(() => daemon.destroy());

const run = (line: string) => cli(line.split(' '), { socket: daemon.socket, local: { vif } });

async function api(url: string): Promise<{ status: number; json: unknown }> {
  const { app, close } = await appWith();
  const answer = await app.inject(url);
  await close();
  return { status: answer.statusCode, json: answer.json() };
}

it('prints what can be pasted, and nothing else that is no comment', async () => {
  daemon.answer(`GET ${CALL}`, 200, (await api(CALL)).json);
  const { code, out } = await run('vif mail mail-b');
  expect(code).toBe(0);
  expect(out).toMatch(/^# vif2\.0 is what Xen itself calls/);
  const [before = '', xl = '', stanza = '', network = ''] = out.split(/^# (?:In the|In|Or,).*\n/m);
  expect(before).toMatch(/^(# .*\n)*\n$/);
  expect(xl).toMatch(/^vif = \[ '.*' \]\n\n$/);
  expect(stanza).toMatch(/^auto enX0\niface enX0 inet static\n/);
  expect(network).toMatch(/^\[Match\]\nMACAddress=00:16:3e:/);
});

it('of a file is the same as of the daemon that has read it, and needs none', async () => {
  const { code, out } = await cli(['vif', 'mail', 'mail-b', '--json', '--config', EXAMPLE], {
    local: { vif },
  });
  expect(code).toBe(0);
  const { xl, gateways } = guestView.strict().parse(JSON.parse(out));
  expect(guestView.strict().parse((await api(CALL)).json).xl).toBe(xl);
  expect(gateways).toEqual(['10.50.0.1', 'fd00:50::1']);
  const named = await run(`vif mail mail-b --interface eth7 --config ${EXAMPLE}`);
  expect(named.out).toContain('auto eth7\n');
});

it('of a service, a DomU or a file that is not there says what is', async () => {
  expect(await api('/v1/services/mail/domus/ldap-a/network')).toMatchObject({
    status: 404,
    json: { detail: 'mail has no such DomU; its two are mail-a and mail-b' },
  });
  expect((await api('/v1/services/nobody/domus/x/network')).status).toBe(404);
  expect((await api(`${CALL}?interface=a%20b`)).status).toBe(400);
  const domu = await run(`vif mail mail-c --config ${EXAMPLE}`);
  expect([domu.code, domu.err]).toEqual([1, expect.stringContaining('there are mail-a and mail-b')]);
  expect((await run(`vif nobody x --config ${EXAMPLE}`)).code).toBe(1);
  expect((await run('vif mail mail-b --config /nowhere')).err).toMatch(/there is no such file/);
  expect((await run('vif mail mail-b --interface a/b')).code).toBe(2);
});

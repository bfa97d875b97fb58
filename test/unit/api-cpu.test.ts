import { expect, test } from 'vitest';
import * as contract from '../../src/api/contract.ts';
import { Refusal } from '../../src/lib/errors.ts';
import { offMeter } from '../../src/meter/off.ts';
import { typicalBaseline } from '../../src/meter/model.ts';
import type { CpuFlow, Meter } from '../../src/meter/report.ts';
import { HandClock } from '../contract/hand-clock.ts';
import { SOCKET, appWith } from './support/api-double.ts';

const off = offMeter({ clock: new HandClock() });
const measured = { ...typicalBaseline(0), measured: true };

async function asked(meter: Meter | null, method: 'GET' | 'POST', url: string) {
  const { app, close } = await appWith(SOCKET, undefined, { meter });
  try {
    const answer = await app.inject({ method, url });
    return { status: answer.statusCode, json: answer.json<unknown>() };
  } finally {
    await close();
  }
}

test('what routing costs is told as the contract says', async () => {
  const { status, json } = await asked(off, 'GET', '/v1/cpu');
  expect(status).toBe(200);
  expect(contract.cpuView.strict().parse(json)).toMatchObject({ mode: 'off', flows: [] });
});

test('one service may be asked for, and all else is still of the whole host', async () => {
  const flow = (service: string): CpuFlow => ({
    service,
    role: 'primary',
    domu: `${service}-a`,
    direction: 'in',
    packets: 1,
    bytes: 64,
    cpuSeconds: 0,
    overheadSeconds: 0,
    packetsPerSecond: 0,
    cpuShare: 0,
    overheadShare: 0,
    nanosPerPacket: null,
    samples: 0,
  });
  const netback = ['mail', 'ldap'].map((service) => ({ domu: `${service}-a`, service, seconds: 1 }));
  const report = { ...off.report(), flows: [flow('mail'), flow('ldap')], netback };
  const { json } = await asked({ ...off, report: () => report }, 'GET', '/v1/cpu?service=ldap');
  expect(json).toEqual({ ...report, flows: [flow('ldap')], netback: [netback[1]] });
  const wrong = await asked(off, 'GET', '/v1/cpu?service=..');
  expect(wrong.status).toBe(400);
});

test('a baseline that is measured anew is the answer', async () => {
  const meter: Meter = { ...off, calibrate: () => Promise.resolve(measured) };
  expect(await asked(meter, 'POST', '/v1/cpu/calibrate')).toEqual({ status: 200, json: measured });
});

test('a host that cannot measure one says why', async () => {
  const refusal = new Refusal('unavailable', 'a plain bridge could not be measured: not permitted');
  const { status, json } = await asked(
    { ...off, calibrate: () => Promise.reject(refusal) },
    'POST',
    '/v1/cpu/calibrate',
  );
  expect(status).toBe(503);
  expect(contract.problem.parse(json).detail).toContain('not permitted');
});

test('while the director starts there is nothing to tell yet', async () => {
  expect((await asked(null, 'GET', '/v1/cpu')).status).toBe(503);
});

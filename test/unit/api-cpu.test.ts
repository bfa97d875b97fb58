import { expect, test } from 'vitest';
import * as contract from '../../src/api/contract.ts';
import { Refusal } from '../../src/lib/errors.ts';
import { offMeter } from '../../src/meter/off.ts';
import { typicalBaseline } from '../../src/meter/model.ts';
import type { Meter } from '../../src/meter/report.ts';
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

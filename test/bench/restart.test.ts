import { afterAll, beforeAll, it } from 'vitest';
import { ManyServices } from '../e2e/support/many.ts';

/** `npm run bench:restart`: how long a restart takes when nothing has changed. SERVICES: how many; 1,000. */
const SERVICES = Number(process.env['SERVICES'] ?? 1000);
const RESTARTS = 5;

let many: ManyServices;
beforeAll(async () => {
  many = await ManyServices.create(SERVICES);
}, 60_000);
afterAll(() => many.destroy(), 120_000);

it(`a restart with ${SERVICES} services`, { timeout: 600_000 }, async () => {
  console.log(`the first start, which loads everything: ${(await many.start()).toFixed(0)} ms`);
  const times: number[] = [];
  for (let n = 0; n < RESTARTS; n++) {
    await many.stop();
    times.push(await many.start());
  }
  const sorted = times.toSorted((a, b) => a - b).map((time) => time.toFixed(0));
  console.log(`restarts, until /readyz says so: ${sorted.join(', ')} ms`);
});

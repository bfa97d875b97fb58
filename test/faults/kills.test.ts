import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { directedWorld } from '../e2e/support/director.ts';
import type { DirectedWorld } from '../e2e/support/director.ts';
import { Killer } from './kills.ts';
import { Schedule } from './schedule.ts';

/** `npm run test:faults` asks for a thousand; of which every other one is under load. */
const KILLS = Number(process.env['FAULT_KILLS'] ?? 60);
const SEED = Number(process.env['FAULT_SEED'] ?? 1);
/** Where the figures go as Markdown, for `node .ci/figures.mjs`. */
const FIGURES = process.env['FAULT_FIGURES'];
/** A slow machine does fewer of the sample; the whole is done however long it takes. */
const SAMPLE_MS = 150_000;
const LIMIT_MS = KILLS > 60 ? 75 * 60_000 : SAMPLE_MS + 60_000;

let directed: DirectedWorld;
let killer: Killer;

beforeAll(async () => {
  directed = await directedWorld({ services: 3 });
  killer = await Killer.start(directed);
});
afterAll(async () => {
  await killer.stop();
  await directed.end();
});

it(
  'loses nothing that it acknowledged, leaves nothing half done and shows nobody a dark DomU, whenever it is killed',
  async () => {
    const schedule = new Schedule(SEED);
    const began = performance.now();
    for (const aimed of schedule.aims()) {
      const { total } = killer.tally;
      if (total.kills >= KILLS || (KILLS <= 60 && performance.now() - began > SAMPLE_MS)) break;
      const load = KILLS > 60 && total.kills % 2 === 1 ? startLoad() : null;
      schedule.learn(aimed, await killer.strike(aimed.operation, aimed.moment, aimed.again));
      await load?.stop();
    }
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(
      `${killer.tally.table()}\n\n${killer.asked} questions of a customer's, ${seconds} s, seed ${SEED}`,
    );
    const markdown = killer.tally.markdown({ seconds, seed: SEED, asked: killer.asked });
    console.log(markdown);
    if (FIGURES !== undefined) await writeFile(FIGURES, `${markdown}\n`);
    expect(killer.tally.faults).toEqual([]);
    expect(killer.tally.total).toMatchObject({ lost: 0, mixed: 0, dark: 0 });
    expect(killer.tally.total.kills).toBeGreaterThan(20);
  },
  LIMIT_MS,
);

const startLoad = (): ReturnType<DirectedWorld['world']['startLoad']> =>
  directed.world.startLoad('customer', { host: 'mail', port: 8000, workers: 4, pause: 5 });

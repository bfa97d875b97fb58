import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { directedWorld } from '../e2e/support/director.ts';
import type { DirectedWorld } from '../e2e/support/director.ts';
import { Killer } from './kills.ts';
import { Schedule } from './schedule.ts';

/** `npm run test:faults` asks for a thousand; `npm test` makes a sample. Every other kill is under load. */
const ASKED = process.env['FAULT_KILLS'];
const KILLS = Number(ASKED ?? 50);
const SEED = Number(process.env['FAULT_SEED'] ?? 1);
/** Where the figures go as Markdown, for `node .ci/figures.mjs`. */
const FIGURES = process.env['FAULT_FIGURES'];
/** A slow machine does fewer of the sample; what was asked for is done however long it takes, or for so many seconds. */
const MOST_MS = 1000 * Number(process.env['FAULT_SECONDS'] ?? (ASKED === undefined ? 120 : 7200));
const LIMIT_MS = MOST_MS + 60_000;

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
      if (total.kills >= KILLS || performance.now() - began > MOST_MS) break;
      const load = total.kills % 2 === 1 ? startLoad() : null;
      schedule.learn(aimed, await killer.strike(aimed.operation, aimed.moment, aimed.again));
      await load?.stop();
      if (total.kills > 0 && total.kills % 50 === 0)
        process.stderr.write(`${total.kills} kills, ${killer.tally.faults.length} faults\n`);
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
    expect(killer.tally.total.kills).toBeGreaterThan(10);
  },
  LIMIT_MS,
);

const startLoad = (): ReturnType<DirectedWorld['world']['startLoad']> =>
  directed.world.startLoad('customer', { host: 'mail', port: 8000, workers: 4, pause: 5 });

import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { World } from '../../../src/lab/world.ts';
import { RULE_FILES } from '../../prometheus/support.ts';
import { until } from './until.ts';

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const URL_INSIDE = 'http://127.0.0.1:9090';
export const DIRECTOR_ADDRESS = '127.0.0.1:8440';

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** Seconds since the epoch, and the value as text. */
  readonly values: readonly (readonly [number, string])[];
}

/** What came of an expression; `error`: Prometheus did not understand it. */
export type Result = { readonly series: readonly Series[] } | { readonly error: string };

/** A Prometheus in the lab's Dom0, which scrapes its director each second. */
export class LabPrometheus {
  readonly #world: World;
  readonly #begun = Date.now() / 1000;

  private constructor(world: World) {
    this.#world = world;
  }

  static async start(world: World, directory: string): Promise<LabPrometheus> {
    const storage = `${directory}/prometheus`;
    await mkdir(storage);
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: RULE_FILES,
      scrape_configs: [{ job_name: 'dom0-director', static_configs: [{ targets: [DIRECTOR_ADDRESS] }] }],
    };
    await writeFile(`${storage}/prometheus.yml`, stringify(config));
    const options = [
      `--config.file=${storage}/prometheus.yml`,
      `--storage.tsdb.path=${storage}/data`,
      '--web.listen-address=127.0.0.1:9090',
    ];
    world.spawn('dom0', ['prometheus', ...options], { log: `${directory}/prometheus.log` });
    const prometheus = new LabPrometheus(world);
    const scraped = async (): Promise<boolean> => {
      const [up] = await prometheus.ask(['up == 1']).catch(() => [{ error: 'not yet' }]);
      return up !== undefined && 'series' in up && up.series.length === 1;
    };
    await until('Prometheus has scraped the director', scraped);
    return prometheus;
  }

  /** Each from the start until now, a value a second. */
  async ask(exprs: readonly string[]): Promise<Result[]> {
    const range = { start: this.#begun, end: Date.now() / 1000, step: 1 };
    const stdin = JSON.stringify({ url: URL_INSIDE, exprs, ...range });
    const argv = [process.execPath, script('query.mjs')];
    return JSON.parse(await this.#world.must('dom0', argv, { stdin, timeout: 30_000 })) as Result[];
  }
}

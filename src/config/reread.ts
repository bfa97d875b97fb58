import type { Fault } from '../lib/errors.ts';
import type { Service } from '../model/service.ts';
import type { Config } from './config.ts';
import { definitionPrint } from './definition-print.ts';
import { parseBytes, readConfig } from './read-config.ts';

/** What a thread that reads a configuration is asked. */
export interface ToRead {
  readonly file: string;
  /** What stands in it; null: that is to be read. */
  readonly text: Uint8Array | null;
  /** By name, the prints of the services that whoever asks has already. */
  readonly known: ReadonlyMap<string, string>;
}

/** What it tells: faults alone; or services that are not known, some at a time, and at last all else. */
export type WasRead =
  | { readonly faults: readonly Fault[] }
  | { readonly services: readonly Service[] }
  | { readonly host: Omit<Config, 'services'>; readonly names: readonly string[] };

/** So many are told at a time: whoever takes them does so in one piece. */
const SOME = 50;

/** readConfig, for somebody who has most of it: only what is another one is told. */
export async function reread({ file, text, known }: ToRead, tell: (told: WasRead) => void): Promise<void> {
  const read = text === null ? await readConfig(file) : parseBytes(text, file);
  if ('faults' in read) {
    tell({ faults: read.faults });
    return;
  }
  const { services, ...host } = read.config;
  const others = services.filter((service) => known.get(service.name) !== definitionPrint(service));
  for (let start = 0; start < others.length; start += SOME)
    tell({ services: others.slice(start, start + SOME) });
  tell({ host, names: services.map(({ name }) => name) });
}

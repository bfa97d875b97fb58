import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { messageOf } from '../lib/errors.ts';
import { inTurns } from '../lib/turn.ts';
import type { Service } from '../model/service.ts';
import type { Config } from './config.ts';
import { definitionPrint } from './definition-print.ts';
import { deepFreeze } from './freeze.ts';
import type { ReadConfig } from './parse-config.ts';
import { parseBytes, readConfig } from './read-config.ts';
import type { ToRead, WasRead } from './reread.ts';

/** Bytes. A smaller file is read sooner than a thread has begun. */
const SMALL = 16 * 1024;

/**
 * readConfig in a thread of its own, so that nobody waits for it here, and what it needed is given back: a thousand
 * services take most of a second and a hundred megabytes. Services that are the same as in `current` are the same
 * objects. `module`: one that calls `reread` with its workerData. `text`: what stands in the file, where it is known.
 */
export async function readInThread(
  module: URL,
  file: string,
  current: Pick<Config, 'services'>,
  text: Uint8Array | null = null,
): Promise<ReadConfig> {
  const size = text === null ? await sizeOf(file) : text.length;
  if (size < SMALL) return text === null ? readConfig(file) : parseBytes(text, file);
  const prints = await inTurns(
    current.services,
    (service) => [service.name, definitionPrint(service)] as const,
  );
  const known = new Map(current.services.map((service) => [service.name, service]));
  return new Promise((resolve, reject) => {
    const asked: ToRead = { file, text, known: new Map(prints) };
    const worker = new Worker(module, { name: 'reading', workerData: asked });
    worker.on('message', (told: WasRead) => {
      if ('services' in told)
        for (const service of told.services) known.set(service.name, deepFreeze(service));
      else if ('faults' in told) resolve(told);
      else resolve({ config: assembled(told, known) });
    });
    worker.once('error', (error) =>
      resolve({ faults: [{ path: '', message: `cannot be read: ${messageOf(error)}` }] }),
    );
    worker.once('exit', () => reject(new Error('the thread that reads the configuration has ended early')));
  });
}

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    (found) => found.size,
    () => 0,
  );

function assembled(
  { host, names }: Extract<WasRead, { readonly host: unknown }>,
  known: ReadonlyMap<string, Service>,
): Config {
  const services = Object.freeze(names.flatMap((name) => known.get(name) ?? []));
  return Object.freeze({ ...deepFreeze(host), services });
}

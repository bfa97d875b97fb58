import { formatFaults, readConfig } from './config/index.ts';

/** `director check FILE`: the same reading as the daemon's. */
export async function check(file: string): Promise<{ ok: boolean; text: string; json: unknown }> {
  const read = await readConfig(file);
  if ('faults' in read)
    return { ok: false, text: formatFaults(file, read.faults), json: { ok: false, faults: read.faults } };
  const { services } = read.config;
  const text = `${file} is right: ${services.length} ${services.length === 1 ? 'service' : 'services'} (${services.map(({ name }) => name).join(', ')})`;
  return { ok: true, text, json: { ok: true, services: services.map(({ name }) => name) } };
}

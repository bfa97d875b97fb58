import { readFile, writeFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';

export interface ConfigFile {
  services: Record<string, Record<string, unknown>>;
  [key: string]: unknown;
}

/** Rewrites a configuration file, as an editor would. Answers what puts it back. */
export async function editConfig(
  file: string,
  edit: (config: ConfigFile) => void,
): Promise<() => Promise<void>> {
  const before = await readFile(file, 'utf8');
  const config = parse(before) as ConfigFile;
  edit(config);
  await writeFile(file, stringify(config));
  return () => writeFile(file, before);
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../../src/lab/run.ts';

const SOURCES = { serve: ['serve.c'], work: ['work.c'], flip: ['flip.c', 'action.c'] } as const;
type Program = keyof typeof SOURCES;
const FLAGS = ['-std=gnu17', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];

/** The bench's own programs, compiled; paths by name. */
export interface Programs extends Readonly<Record<Program, string>> {
  remove(): Promise<void>;
}

export async function buildPrograms(): Promise<Programs> {
  const directory = await mkdtemp(join(tmpdir(), 'director-programs-'));
  const native = fileURLToPath(new URL('native/', import.meta.url));
  const built = Object.entries(SOURCES).map(async ([name, sources]) => {
    const program = join(directory, name);
    await must(['cc', ...FLAGS, '-o', program, ...sources.map((source) => native + source)]);
    return [name, program] as const;
  });
  const paths = Object.fromEntries(await Promise.all(built)) as Record<Program, string>;
  return { ...paths, remove: () => rm(directory, { recursive: true, force: true }) };
}

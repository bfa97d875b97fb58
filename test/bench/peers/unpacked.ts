import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../../../.cache', import.meta.url));

/** The environment for a program that was only taken out of its package: its libraries are beside it. */
export function withLibraries(name: string): NodeJS.ProcessEnv {
  const triplets = libraries(`${cache}/${name}/lib`);
  return { ...process.env, LD_LIBRARY_PATH: triplets.join(':') };
}

function libraries(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.includes('-linux-'))
      .map((name) => `${directory}/${name}`);
  } catch {
    // It is installed.
    return [];
  }
}

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));

/** The folder that test/xen/rig/build.mjs has built last. */
export async function rigDirectory(): Promise<string> {
  const text = await readFile(`${PROJECT}.cache/xen-rig.json`, 'utf8').catch(() => {
    throw new Error('there is no rig: "node test/xen/rig/build.mjs" builds it, or says why it cannot');
  });
  return (JSON.parse(text) as { directory: string }).directory;
}

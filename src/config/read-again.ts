import { createHash } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { printOfProgram } from '../lib/program.ts';
import type { Config } from './config.ts';
import { deepFreeze } from './freeze.ts';
import { DEFAULT_STATE } from './host-schema.ts';
import { parseBytes, unreadable } from './read-config.ts';
import type { ReadConfig } from './parse-config.ts';

/** Beside the store, in the directory of the state. */
export const KEPT_FILE = 'config.read';

interface Kept {
  readonly print: string;
  readonly config: Config;
}

/**
 * readConfig; but what this same program has read before from the same text of the same file is not read anew, which
 * with a thousand services takes most of a second. `keep` is for later, when nobody waits: the next start finds it
 * then. `parse`: parses a text that was not read before, elsewhere than in this thread. What is kept there is trusted as the store beside it is; a file that is none, or another program's, is ignored.
 */
export async function readConfigAgain(
  file: string,
  parse: (text: Uint8Array) => ReadConfig | Promise<ReadConfig> = (text) => parseBytes(text, file),
): Promise<{ read: ReadConfig; keep: () => Promise<void> }> {
  const nothing = (): Promise<void> => Promise.resolve();
  let text: Buffer;
  try {
    text = await readFile(file);
  } catch (error) {
    return { read: unreadable(error), keep: nothing };
  }
  const print = printOf(file, text);
  const kept = await find(stateIn(text.toString('latin1')), print);
  if (kept !== null) return { read: { config: kept }, keep: nothing };
  const read = await parse(text);
  return { read, keep: 'config' in read ? () => write(read.config, print) : nothing };
}

/** Where the text most probably says that the state is; what is found there has to bear the text's own print. */
function stateIn(text: string): string {
  return /^state:[ \t]+["']?([^"'\s#]+)/m.exec(text)?.[1] ?? DEFAULT_STATE;
}

async function find(directory: string, print: string): Promise<Config | null> {
  try {
    const kept = deserialize(await readFile(join(directory, KEPT_FILE))) as Partial<Kept> | null;
    return kept?.print === print && kept.config !== undefined ? deepFreeze(kept.config) : null;
  } catch {
    return null;
  }
}

/** Whole or not at all. */
async function write(config: Config, print: string): Promise<void> {
  const path = join(config.state, KEPT_FILE);
  const unfinished = `${path}.unfinished`;
  try {
    await writeFile(unfinished, serialize({ print, config } satisfies Kept), { mode: 0o600 });
    await rename(unfinished, path);
  } catch (error) {
    // Half a file on a full disk is room that the store may need.
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** Of the text, of the file's path (the configuration knows it), and of the program that reads it. */
function printOf(file: string, text: Uint8Array): string {
  const program = printOfProgram(import.meta.url, ['./', '../lib/', '../model/']);
  return createHash('sha256').update(`${program}\n${file}\n`).update(text).digest('hex');
}

import { readFile } from 'node:fs/promises';
import { messageOf } from '../lib/errors.ts';
import { parseConfig } from './parse-config.ts';
import type { ReadConfig } from './parse-config.ts';

/** parseConfig of a file. A file that cannot be read, or is no UTF-8, is a fault too; never rejects for that. */
export async function readConfig(file: string): Promise<ReadConfig> {
  try {
    return parseBytes(await readFile(file), file);
  } catch (error) {
    return unreadable(error);
  }
}

/** The same of what stands in the file. */
export function parseBytes(bytes: Uint8Array, file: string): ReadConfig {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    return unreadable(error);
  }
  return parseConfig(text, file);
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; write one there, or give the right path',
  EACCES: 'this user may not read it; change its mode, or its owner',
  EISDIR: 'it is a directory; give the path of the file in it',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not text in UTF-8; save it in that encoding',
};

export function unreadable(error: unknown): ReadConfig {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return { faults: [{ path: '', message: `cannot be read: ${ADVICE[code] ?? messageOf(error)}` }] };
}

import { readFile } from 'node:fs/promises';
import { machinesOf } from '../capacity/machine.ts';
import type { Machine } from '../capacity/machine.ts';
import { NotSadf, parseSadf } from '../capacity/sadf.ts';
import type { Recording } from '../capacity/sadf.ts';
import { clean } from './clean.ts';
import { failed } from './failure.ts';
import { count } from './words.ts';

interface Wrong {
  readonly path: string;
  readonly message: string;
}

/** The machines that these files (`FILE` or `NAME=FILE`) tell of; a Failure with every fault of every file. */
export async function readMachines(args: readonly string[]): Promise<Machine[]> {
  const read = await Promise.all([...new Set(args)].map(readRecordings));
  const wrong = read.flatMap((each) => ('message' in each ? [each] : []));
  if (wrong.length > 0) throw unusable(wrong);
  const found = machinesOf(read.flatMap((each) => ('message' in each ? [] : each.recordings)));
  if ('contradictions' in found) throw unusable(found.contradictions);
  return found.machines;
}

async function readRecordings(arg: string): Promise<{ recordings: Recording[] } | Wrong> {
  // A file whose own name looks so is written ./a=b.json.
  const [, name, file = arg] = /^([\w-][\w.-]*)=(.+)$/.exec(arg) ?? [];
  try {
    const recordings = parseSadf(await readFile(file, 'utf8'), file, name);
    return { recordings: recordings.map((each) => ({ ...each, machine: clean(each.machine) })) };
  } catch (error) {
    if (error instanceof NotSadf) return { path: file, message: error.message };
    return { path: file, message: unreadable(error as NodeJS.ErrnoException) };
  }
}

function unreadable({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'you may not read it';
  return code === 'EISDIR' ? 'it is a directory' : message;
}

function unusable(wrong: readonly Wrong[]) {
  const files = new Set(wrong.map(({ path }) => path)).size;
  return failed(`${count(files, 'file')} cannot be used:`, {
    errors: wrong.map(({ path, message }) => ({ path: clean(path), message: clean(message) })),
  });
}

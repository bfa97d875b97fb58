import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { DirectorError, messageOf } from '../lib/errors.ts';
import { STEPS } from './schema.ts';

export type Db = Database.Database;

export const STORE_FILE = 'director.sqlite';

/**
 * Opens the store in `directory` for this process alone. Every commit is on the disk before it answers
 * (synchronous=FULL). One that an older version wrote is brought up to date, whole or not at all, and kept as it was
 * beside it. Throws DirectorError where another daemon has it, it is damaged, or a newer version wrote it; nothing has
 * been changed then. `steps`: see STEPS.
 */
export function openDatabase(directory: string, steps: readonly string[] = STEPS): Db {
  const file = join(directory, STORE_FILE);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    const db = new Database(file, { timeout: 0 });
    try {
      prepare(db);
      upgrade(db, file, steps);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    throw explain(error, file);
  }
}

function prepare(db: Db): void {
  db.pragma('locking_mode = EXCLUSIVE');
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  const [check] = db.pragma('quick_check(1)') as { quick_check: string }[];
  if (check?.quick_check !== 'ok')
    throw new Error(`database disk image is malformed: ${check?.quick_check ?? ''}`);
}

function upgrade(db: Db, file: string, steps: readonly string[]): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > steps.length) {
    const kept = keptFile(file, steps.length);
    const back = existsSync(kept) ? `put ${kept}, which that version kept, in its place, ` : '';
    throw new DirectorError(
      `${file} was written by a newer version of the director (schema ${version}, this one knows ${steps.length})`,
      {
        hint: `install that version again, ${back}or give this one another state directory; the kernel was not touched`,
      },
    );
  }
  if (version === steps.length) return;
  if (version > 0) keep(db, keptFile(file, version));
  db.transaction(() => {
    for (const step of steps.slice(version)) db.exec(step);
    db.pragma(`user_version = ${steps.length}`);
  }).exclusive();
}

/** Where a store is kept as a version with an older schema wrote it, for whoever goes back to that. */
export const keptFile = (file: string, version: number): string => `${file}.schema-${version}`;

/** A copy that is whole and on the disk, or none. */
function keep(db: Db, copy: string): void {
  const unfinished = `${copy}.unfinished`;
  rmSync(unfinished, { force: true });
  db.prepare('VACUUM INTO ?').run(unfinished);
  sync(unfinished);
  renameSync(unfinished, copy);
  sync(dirname(copy));
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function explain(error: unknown, file: string): DirectorError {
  if (error instanceof DirectorError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('SQLITE_BUSY')) {
    return new DirectorError(`another director has ${file} open`, {
      cause: error,
      hint: 'only one daemon can run on a host: stop the other one first (systemctl status dom0-director)',
    });
  }
  if (code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT' || messageOf(error).includes('malformed')) {
    return new DirectorError(`${file} is damaged: ${messageOf(error)}`, {
      cause: error,
      hint: `the kernel was not touched and goes on directing. Put a backup in its place; or, to start with nothing remembered (roles as in the configuration, no trial, no leased testers), move ${file}* away`,
    });
  }
  return new DirectorError(`cannot open the store ${file}: ${messageOf(error)}`, {
    cause: error,
    hint: 'the kernel was not touched; is the directory writable, and is there room on the disk?',
  });
}

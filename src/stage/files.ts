import { spawn } from 'node:child_process';
import { lstat, open, readFile, readdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectorError } from '../lib/errors.ts';
import { runOutside } from '../lib/outside.ts';
import { toolEnvironment } from '../lib/run.ts';

/** What else staging needs of the host. */
export interface Files {
  /** Null where there is none. */
  read(path: string): Promise<string | null>;
  /** Also a link that leads nowhere. */
  exists(path: string): Promise<boolean>;
  /** DirectorError where it is there already: nothing is written over. */
  write(path: string, text: string): Promise<void>;
  /** Only one in which `mark` stands; false where there is none. */
  remove(path: string, mark: string): Promise<boolean>;
  link(path: string, to: string): Promise<void>;
  /** Only one that leads to `to`; false where there is none. */
  unlink(path: string, to: string): Promise<boolean>;
  /** Names of links in a directory whose target, as it is written, ends with this name. */
  linksTo(directory: string, name: string): Promise<string[]>;
  /** The last `bytes` of a file; null where there is none. */
  tail(path: string, bytes: number): Promise<string | null>;
}

export interface Programs {
  /** Runs it to its end; DirectorError where it fails. */
  run(argv: readonly string[], input: string, within: number, signal: AbortSignal): Promise<void>;
  /** Runs it after so many milliseconds, even when this process has ended by then; answers how to call that off. */
  runLater(argv: readonly string[], after: number): () => void;
}

/** A guest's configuration may hold passwords. */
const MODE = 0o600;

export class LinuxFiles implements Files {
  read(path: string): Promise<string | null> {
    return readFile(path, 'utf8').catch(nullWhereMissing);
  }

  async exists(path: string): Promise<boolean> {
    return (await lstat(path).catch(nullWhereMissing)) !== null;
  }

  async write(path: string, text: string): Promise<void> {
    await writeFile(path, text, { mode: MODE, flag: 'wx', flush: true });
  }

  async remove(path: string, mark: string): Promise<boolean> {
    const text = await this.read(path);
    if (text === null) return false;
    // One that is empty is the beginning of ours: nothing is written over, and a director may have died in it.
    if (text !== '' && !text.includes(mark))
      throw new DirectorError(`${path} is somebody else's by now; it was left`);
    await rm(path, { force: true });
    return true;
  }

  link(path: string, to: string): Promise<void> {
    return symlink(to, path);
  }

  async unlink(path: string, to: string): Promise<boolean> {
    const leads = await readlink(path).catch(nullWhereMissing);
    if (leads === null) return false;
    if (leads !== to) throw new DirectorError(`${path} leads somewhere else by now; it was left`);
    await rm(path, { force: true });
    return true;
  }

  async linksTo(directory: string, name: string): Promise<string[]> {
    const names = (await readdir(directory).catch(nullWhereMissing)) ?? [];
    const targets = await Promise.all(
      names.map(async (each) => [each, await readlink(join(directory, each)).catch(() => '')] as const),
    );
    return targets
      .filter(([, target]) => target === name || target.endsWith(`/${name}`))
      .map(([each]) => each);
  }

  async tail(path: string, bytes: number): Promise<string | null> {
    const size = (await stat(path).catch(nullWhereMissing))?.size;
    if (size === undefined) return null;
    const file = await open(path, 'r');
    try {
      const length = Math.min(size, bytes);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  }
}

function nullWhereMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
  throw error;
}

/** Waits and becomes the program; given several words perl asks no shell (perldoc -f exec). */
const LATER = 'sleep shift; exec { $ARGV[0] } @ARGV';

export class LinuxPrograms implements Programs {
  async run(argv: readonly string[], input: string, within: number, signal: AbortSignal): Promise<void> {
    const [program = '', ...rest] = argv;
    const { status, stdout, stderr } = await runOutside(program, rest, {
      stdin: input,
      timeout: within,
      signal,
    });
    if (status === 0) return;
    const said = (stderr.trim() === '' ? stdout : stderr).trim().split('\n').slice(-3).join('; ');
    throw new DirectorError(`${program} failed (${status}): ${said === '' ? 'it said nothing' : said}`);
  }

  runLater(argv: readonly string[], after: number): () => void {
    const seconds = String(Math.ceil(after / 1000));
    const child = spawn('perl', ['-e', LATER, seconds, ...argv], {
      env: toolEnvironment(),
      detached: true,
      stdio: 'ignore',
    });
    child.on('error', () => undefined);
    child.unref();
    return () => child.kill('SIGKILL');
  }
}

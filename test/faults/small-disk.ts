import { open, writeFile } from 'node:fs/promises';
import { must } from '../../src/lab/run.ts';

/** A small file system of its own for a state directory; see tmpfs(5). */
export class SmallDisk {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async mount(directory: string, size = '8m'): Promise<SmallDisk> {
    await must(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory]);
    return new SmallDisk(directory);
  }

  /** Not a byte is left. */
  async fill(): Promise<void> {
    const file = await open(this.#filler, 'w');
    try {
      for (const block = Buffer.alloc(65_536); ;) await file.writeFile(block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      await file.close();
    }
  }

  /** There is room again. */
  empty(): Promise<void> {
    return writeFile(this.#filler, '');
  }

  async remount(mode: 'ro' | 'rw'): Promise<void> {
    await must(['mount', '-o', `remount,${mode}`, this.directory]);
  }

  async unmount(): Promise<void> {
    await must(['umount', '--lazy', this.directory]);
  }

  get #filler(): string {
    return `${this.directory}/filler`;
  }
}

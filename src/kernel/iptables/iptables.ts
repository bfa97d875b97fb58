import { KernelError } from '../../lib/errors.ts';
import type { Family } from '../../model/address.ts';
import { run } from '../../lib/run.ts';
import { binaryOf } from './binaries.ts';
import type { Tool, Variant } from './binaries.ts';
import { INSTALL_HINT, restoreCutShort, restoreFailure, toolFailure } from './failure.ts';

/**
 * Seconds that a tool waits for the lock that all of them share (iptables(8), `-w`). Every verb waits as long, a
 * rollback too, and clients give up after 30 s: whoever holds it must be told of before that.
 */
const LOCK_WAIT = '5';

/** iptables-save and iptables-restore, both families. Failures are KernelError with what the tool said. */
export class Iptables {
  readonly #variant: Variant;
  #backend: Promise<'nft' | 'legacy'> | null = null;

  constructor(variant: Variant) {
    this.#variant = variant;
  }

  binary(family: Family, tool: Tool): string {
    return binaryOf(this.#variant, family, tool);
  }

  /** All tables of the family, as text, without counters. */
  async save(family: Family, signal?: AbortSignal): Promise<string> {
    const tool = this.binary(family, 'save');
    const { status, stdout, stderr } = await run(tool, [], { signal }).catch(rethrowWithHint);
    if (status !== 0) throw toolFailure(tool, status, stderr);
    return stdout;
  }

  /** Loads `text` beside what is there. Each table is one commit; the error says which of them have changed. */
  async restore(family: Family, text: string, signal?: AbortSignal): Promise<void> {
    const tool = this.binary(family, 'restore');
    const options = { stdin: text, signal };
    const ran = await run(tool, ['--noflush', '-w', LOCK_WAIT], options).catch((error: unknown) => {
      if (error instanceof KernelError && error.code !== 'ENOENT') throw restoreCutShort(error, text);
      return rethrowWithHint(error);
    });
    if (ran.status !== 0) throw restoreFailure(tool, ran.status, ran.stderr, text);
  }

  /** Which of the two the host's `iptables` is; asked once. KernelError ENOENT where there is none. */
  backend(): Promise<'nft' | 'legacy'> {
    if (this.#variant !== 'auto') return Promise.resolve(this.#variant);
    this.#backend ??= this.#askBackend().catch((error: unknown) => {
      this.#backend = null;
      throw error;
    });
    return this.#backend;
  }

  async #askBackend(): Promise<'nft' | 'legacy'> {
    const { stdout } = await run(this.binary(4, 'restore'), ['--version']).catch(rethrowWithHint);
    return stdout.includes('nf_tables') ? 'nft' : 'legacy';
  }
}

function rethrowWithHint(error: unknown): never {
  if (error instanceof KernelError && error.code === 'ENOENT') {
    throw new KernelError(error.message, { code: 'ENOENT', cause: error, hint: INSTALL_HINT });
  }
  throw error;
}

/** A failure with everything that a user needs: what, to what, what state things are in, what to do. */
export class DirectorError extends Error {
  override readonly name: string = 'DirectorError';
  readonly hint: string | undefined;
  constructor(message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
  }
}

/** The kernel, or a tool that speaks to it, refused. `code` is the errno's name where there is one (`EEXIST`, `ENOENT`). */
export class KernelError extends DirectorError {
  override readonly name = 'KernelError';
  readonly code: string;
  constructor(message: string, options: { code?: string; cause?: unknown; hint?: string } = {}) {
    super(message, options);
    this.code = options.code ?? 'UNKNOWN';
  }
}

export const isNotFound = (error: unknown): boolean =>
  error instanceof KernelError && error.code === 'ENOENT';
export const isExists = (error: unknown): boolean => error instanceof KernelError && error.code === 'EEXIST';
export const isBusy = (error: unknown): boolean => error instanceof KernelError && error.code === 'EBUSY';

/** One thing that is wrong with what a user gave: where, what, and what would be right. */
export interface Fault {
  /** `services.mail.ports[2]`, or a JSON pointer for a body. */
  readonly path: string;
  readonly message: string;
  /** 1-based; only where it came from a file. */
  readonly line?: number;
  readonly column?: number;
}

export type RefusalKind = 'invalid' | 'unknown' | 'conflict' | 'stale' | 'unprocessable' | 'unavailable';

/** The director will not do what was asked; nothing has changed. */
export class Refusal extends DirectorError {
  override readonly name = 'Refusal';
  readonly kind: RefusalKind;
  readonly faults: readonly Fault[];
  constructor(
    kind: RefusalKind,
    message: string,
    options: { faults?: readonly Fault[]; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.faults = options.faults ?? [];
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

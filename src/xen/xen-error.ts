import { DirectorError } from '../lib/errors.ts';

/** Xen, or a tool that speaks to it, refused or did not answer. */
export class XenError extends DirectorError {
  override readonly name = 'XenError';
}

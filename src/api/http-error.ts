import { DirectorError } from '../lib/errors.ts';

/** What HTTP itself refuses, before anything of the director is asked: a token, a method, a media type. */
export class HttpError extends DirectorError {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    message: string,
    options: { headers?: Readonly<Record<string, string>>; hint?: string } = {},
  ) {
    super(message, options);
    this.status = status;
    this.headers = options.headers ?? {};
  }
}

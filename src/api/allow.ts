import type { FastifyRequest } from 'fastify';
import type { App } from './context.ts';
import { HttpError } from './http-error.ts';

/** Tells an unknown path (404) from a known one that is asked with another method (405, with Allow). */
export class KnownPaths {
  readonly #paths = new Map<string, { pattern: RegExp; methods: Set<string> }>();

  collect(app: App): void {
    app.addHook('onRoute', ({ url, method }) => {
      const pattern = new RegExp(`^${url.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}$`);
      const known = this.#paths.get(url) ?? { pattern, methods: new Set() };
      for (const name of [method].flat()) known.methods.add(name);
      this.#paths.set(url, known);
    });
  }

  refusal({ method, url }: FastifyRequest): HttpError {
    const path = url.split('?', 1)[0] ?? '';
    const allowed = [...this.#paths.values()]
      .filter(({ pattern }) => pattern.test(path))
      .flatMap(({ methods }) => [...methods]);
    if (allowed.length === 0) {
      return new HttpError(404, 'there is nothing at this path', {
        hint: 'GET /openapi.json describes all calls',
      });
    }
    const allow = allowed.toSorted().join(', ');
    return new HttpError(405, `${method} is not done here, but ${allow}`, { headers: { allow } });
  }
}

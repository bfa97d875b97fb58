import { json, problems } from '../answers.ts';
import { tokenName } from '../authenticate.ts';
import type { Api, App } from '../context.ts';
import { sessionView } from '../contract.ts';

export function sessionRoutes(app: App, { access, version }: Api): void {
  app.get(
    '/v1/session',
    {
      schema: {
        tags: ['daemon'],
        summary: 'Whose token this is, and whether one is needed from here',
        response: {
          200: json('A token that was sent is one of those configured', sessionView),
          ...problems(401, 500),
        },
      },
    },
    (request, reply) => {
      const { authorization } = request.headers;
      const byToken = access.via === 'tcp' && authorization !== undefined;
      const by = byToken ? tokenName(authorization, access.tokens()) : request.by || null;
      void reply.send({ by, needsToken: access.via === 'tcp', version, now: new Date().toISOString() });
    },
  );
}

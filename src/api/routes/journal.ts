import { z } from 'zod';
import { json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { journalEntry, serviceName } from '../contract.ts';
import { limit, linkNext } from '../paging.ts';
import { journalView } from '../views.ts';

export function journalRoutes(app: App, { director }: Api): void {
  app.get(
    '/v1/journal',
    {
      schema: {
        tags: ['journal'],
        summary: 'Who did what, when and why; newest first',
        querystring: z.object({
          limit,
          before: z.coerce
            .number()
            .int()
            .min(0)
            .optional()
            .meta({ description: 'Only older entries than this id' }),
          service: serviceName.optional(),
        }),
        response: {
          200: json('One page; Link says where the next is', z.array(journalEntry)),
          ...problems(400, 500),
        },
      },
    },
    (request, reply) => {
      const records = director.journal(request.query);
      linkNext(request, reply, {
        limit: request.query.limit,
        count: records.length,
        last: records.at(-1)?.id,
      });
      void reply.send(records.map(journalView));
    },
  );
}

import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Refusal } from '../../lib/errors.ts';
import { problems } from '../answers.ts';
import type { Api, App } from '../context.ts';

const after = z.coerce
  .number()
  .int()
  .min(0)
  .optional()
  .meta({ description: 'First what the journal has after this id; Last-Event-ID is the same' });

export function eventRoutes(app: App, { streams }: Api): void {
  app.get(
    '/v1/events',
    {
      // A HEAD would never end.
      exposeHeadRoute: false,
      schema: {
        tags: ['journal'],
        summary: 'What happens, as it happens: server-sent events',
        description:
          'Each journal entry is `event: KIND`, `id: ID`, `data: JournalEntry`. A service whose health or flows changed ' +
          'is `event: service`, `data: {"service": NAME}`. A comment comes every 15 s.',
        querystring: z.object({ after }),
        response: {
          200: {
            description: 'A stream without an end',
            content: { 'text/event-stream': { schema: z.string() } },
          },
          ...problems(400, 500),
        },
      },
    },
    async (request, reply) => {
      const from = lastEventId(request) ?? request.query.after ?? null;
      reply.hijack();
      await streams.open(reply.raw, from);
    },
  );
}

function lastEventId({ headers }: FastifyRequest): number | undefined {
  const id = headers['last-event-id'];
  if (id === undefined || id === '') return undefined;
  if (typeof id === 'string' && /^\d{1,15}$/.test(id)) return Number(id);
  throw new Refusal('invalid', 'Last-Event-ID must be the id of a journal entry, a whole number');
}

import { z } from 'zod';
import { json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { serviceName, stageRequest, stageView as stageSchema } from '../contract.ts';
import { actorOf, knownName, nameParams, reasonQuery } from '../names.ts';
import { once } from '../once.ts';
import { limit, linkNext } from '../paging.ts';
import { stageView } from '../views.ts';

const tags = ['stages'];

export function stageRoutes(app: App, api: Api): void {
  postStage(app, api);
  deleteStage(app, api);
  listStages(app, api);
  getStage(app, api);
}

function postStage(app: App, api: Api): void {
  app.post(
    '/v1/services/:name/stage',
    {
      schema: {
        tags,
        summary: 'Make the dark DomU from the live one: volumes, configuration, domain; it goes on by itself',
        params: nameParams,
        body: stageRequest,
        response: {
          202: json('It has begun; GET /v1/stages/{id} tells how far it is', stageSchema),
          ...problems(400, 401, 404, 409, 415, 422, 500, 503),
        },
      },
    },
    (request, reply) =>
      once(api, request, reply, async () => {
        const { wait = true, reason } = request.body ?? {};
        const name = knownName(request.params.name);
        const record = await api.director.stage(name, { wait }, actorOf(request, reason));
        return { status: 202, body: stageView(record) };
      }),
  );
}

const unstageQuery = reasonQuery.extend({
  purge: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'true: its volumes go at once, too, and those that were kept before' }),
});

function deleteStage(app: App, { director }: Api): void {
  app.delete(
    '/v1/services/:name/stage',
    {
      schema: {
        tags,
        summary: 'Take the staged DomU away, or call off its making; it goes on by itself',
        params: nameParams,
        querystring: unstageQuery,
        response: {
          202: json('It has begun; GET /v1/stages/{id} tells how far it is', stageSchema),
          ...problems(400, 401, 404, 409, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const { purge, reason } = request.query;
      const name = knownName(request.params.name);
      const record = await director.unstage(name, { purge: purge === 'true' }, actorOf(request, reason));
      reply.code(202);
      return stageView(record);
    },
  );
}

function listStages(app: App, { director }: Api): void {
  app.get(
    '/v1/stages',
    {
      schema: {
        tags,
        summary: 'What was staged, with its volumes; newest first',
        querystring: z.object({
          limit,
          before: z.string().optional().meta({ description: 'Only older ones than this id' }),
          service: serviceName.optional(),
        }),
        response: {
          200: json('One page; Link says where the next is', z.array(stageSchema)),
          ...problems(400, 500),
        },
      },
    },
    (request, reply) => {
      const records = director.stages(request.query);
      const last = records.at(-1)?.id;
      linkNext(request, reply, { limit: request.query.limit, count: records.length, last });
      void reply.send(records.map(stageView));
    },
  );
}

function getStage(app: App, { director }: Api): void {
  app.get(
    '/v1/stages/:id',
    {
      schema: {
        tags,
        summary: 'One stage',
        params: z.object({ id: z.string().meta({ description: "A stage's id" }) }),
        response: { 200: json('As it stands now', stageSchema), ...problems(404, 500) },
      },
    },
    ({ params }, reply) => void reply.send(stageView(director.stageById(params.id))),
  );
}

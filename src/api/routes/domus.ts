import { z } from 'zod';
import { empty, json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { consoleView, domuName, domuRow, endRequest } from '../contract.ts';
import { actorOf } from '../names.ts';
import { once } from '../once.ts';

const tags = ['stages'];
const domuParams = z.object({ domu: domuName });

export function domuRoutes(app: App, api: Api): void {
  listDomus(app, api);
  getConsole(app, api);
  postDestroy(app, api);
}

function listDomus(app: App, { director }: Api): void {
  app.get(
    '/v1/domus',
    {
      schema: {
        tags,
        summary: 'The DomUs of all services, and what Xen says of them',
        response: { 200: json('The primary of each service first', z.array(domuRow)), ...problems(500, 503) },
      },
    },
    async () => (await director.domus()).map((row) => ({ ...row })),
  );
}

function getConsole(app: App, { director }: Api): void {
  app.get(
    '/v1/domus/:domu/console',
    {
      config: { confidential: true },
      schema: {
        tags,
        summary: 'What a DomU wrote to its console, to be read only; over TCP it needs a token',
        params: domuParams,
        querystring: z.object({
          lines: z.coerce
            .number()
            .int()
            .min(1)
            .max(1000)
            .default(50)
            .meta({ description: 'The last so many lines', example: 50 }),
        }),
        response: {
          200: json('As xenconsoled wrote it down', consoleView),
          ...problems(400, 401, 404, 422, 500),
        },
      },
    },
    async ({ params, query }) => ({
      domu: params.domu,
      lines: await director.domuConsole(params.domu, query.lines),
    }),
  );
}

function postDestroy(app: App, api: Api): void {
  app.post(
    '/v1/domus/:domu/destroy',
    {
      schema: {
        tags,
        summary: 'End a dark DomU at once, like pulling the plug; its volumes stay',
        params: domuParams,
        body: endRequest,
        response: { 204: empty('It is ended'), ...problems(400, 401, 404, 409, 415, 500, 503) },
      },
    },
    (request, reply) =>
      once(api, request, reply, async () => {
        await api.director.destroyDomu(request.params.domu, actorOf(request, request.body?.reason));
        return { status: 204 };
      }),
  );
}

import { json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { holdRequest, serviceView as serviceSchema } from '../contract.ts';
import { keptDuration } from '../durations.ts';
import { actorOf, knownName, nameParams, reasonQuery } from '../names.ts';
import { once } from '../once.ts';
import { serviceView } from '../views.ts';

const tags = ['services'];

export function holdRoutes(app: App, api: Api): void {
  postHold(app, api);
  deleteHold(app, api);
}

function postHold(app: App, api: Api): void {
  app.post(
    '/v1/services/:name/hold',
    {
      schema: {
        tags,
        summary:
          "Hold the service's packets for a moment: they are dropped, and their senders send them again",
        params: nameParams,
        body: holdRequest,
        response: { 200: json('Held', serviceSchema), ...problems(400, 401, 404, 409, 415, 500, 503) },
      },
    },
    (request, reply) =>
      once(api, request, reply, async () => {
        const forMs = keptDuration(request.body.for, 'for');
        const actor = actorOf(request, request.body.reason);
        const snapshot = await api.director.hold(knownName(request.params.name), forMs, actor);
        return { status: 200, body: serviceView(snapshot) };
      }),
  );
}

function deleteHold(app: App, { director }: Api): void {
  app.delete(
    '/v1/services/:name/hold',
    {
      schema: {
        tags,
        summary: 'End the hold before its time',
        params: nameParams,
        querystring: reasonQuery,
        response: { 200: json('Released', serviceSchema), ...problems(401, 404, 409, 500, 503) },
      },
    },
    async (request) => {
      const actor = actorOf(request, request.query.reason);
      return serviceView(await director.release(knownName(request.params.name), actor));
    },
  );
}

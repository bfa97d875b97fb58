import { json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { serviceView as serviceSchema, testingRequest } from '../contract.ts';
import { actorOf, knownName, nameParams } from '../names.ts';
import { serviceView } from '../views.ts';

export function testingRoutes(app: App, { director }: Api): void {
  app.put(
    '/v1/services/:name/testing',
    {
      schema: {
        tags: ['testing'],
        summary: 'Open testing, when the next version is in place; or close it',
        params: nameParams,
        body: testingRequest,
        response: { 200: json('Done', serviceSchema), ...problems(400, 401, 404, 409, 415, 500, 503) },
      },
    },
    async (request) => {
      const { state, reason } = request.body;
      const name = knownName(request.params.name);
      return serviceView(await director.setTesting(name, state, actorOf(request, reason)));
    },
  );
}

import { empty, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { endRequest } from '../contract.ts';
import { actorOf } from '../names.ts';
import { once } from '../once.ts';

export function daemonRoutes(app: App, api: Api): void {
  postVerb(app, api, 'reload', 'Read the configuration file again; a wrong one changes nothing');
  postVerb(app, api, 'teardown', 'Remove everything of ours from the kernel, and stop directing');
}

/** For who administers the host: over the unix socket only. */
function postVerb(app: App, api: Api, verb: 'reload' | 'teardown', summary: string): void {
  app.post(
    `/v1/${verb}`,
    {
      config: { socketOnly: true },
      schema: {
        tags: ['daemon'],
        summary: `${summary}. Over the unix socket only`,
        body: endRequest,
        response: { 204: empty('Done'), ...problems(400, 403, 409, 415, 422, 500, 503) },
      },
    },
    (request, reply) =>
      once(api, request, reply, async () => {
        await api.director[verb](actorOf(request, request.body?.reason));
        return { status: 204 };
      }),
  );
}

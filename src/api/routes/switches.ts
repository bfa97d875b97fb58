import { z } from 'zod';
import { json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import {
  connections,
  duration,
  endRequest,
  previewView as previewSchema,
  role,
  serviceName,
  switchRequest,
  switchView as switchSchema,
} from '../contract.ts';
import { boundedOrNever, keptDuration, keptOrNever } from '../durations.ts';
import { actorOf } from '../names.ts';
import { once, switchLocation } from '../once.ts';
import { limit, linkNext } from '../paging.ts';
import { previewView, switchView } from '../views.ts';

const tags = ['switches'];
const idParams = z.object({ id: z.string().meta({ description: "A switch's id" }) });

export function switchRoutes(app: App, api: Api): void {
  postSwitch(app, api);
  getPreview(app, api);
  listSwitches(app, api);
  getSwitch(app, api);
  postEnd(app, api, 'confirm', 'Keep it: the roles are exchanged, and testing is closed');
  postEnd(app, api, 'rollback', 'Everybody goes back where they were');
}

function postSwitch(app: App, api: Api): void {
  app.post(
    '/v1/switches',
    {
      schema: {
        tags,
        summary: 'Cut services over, all of them or none; the trial rolls back by itself unless confirmed',
        body: switchRequest,
        response: {
          201: json('Done; its Location is the switch', switchSchema),
          ...problems(400, 401, 404, 409, 415, 422, 500, 503),
        },
      },
    },
    (request, reply) =>
      once(api, request, reply, async () => {
        const { drainFor, confirmWithin, hold, reason, ...order } = request.body;
        const times = timesOf({ drainFor, confirmWithin, hold });
        const record = await api.director.switchOver({ ...order, ...times }, actorOf(request, reason));
        return { status: 201, body: switchView(record), location: switchLocation(record.id) };
      }),
  );
}

interface Times {
  readonly drainFor?: string | undefined;
  readonly confirmWithin?: string | undefined;
  readonly hold?: string | undefined;
}

const timesOf = ({ drainFor, confirmWithin, hold }: Times) => ({
  drainFor: boundedOrNever(drainFor, 'drainFor'),
  confirmWithin: keptOrNever(confirmWithin, 'confirmWithin'),
  hold: hold === undefined ? undefined : keptDuration(hold, 'hold'),
});

const durationOrNever = z.union([duration, z.literal('never')]);
const previewQuery = z.object({
  services: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(serviceName).min(1).max(1000))
    .meta({ description: 'Names, with commas between', example: 'mail,ldap' }),
  to: role.default('secondary'),
  connections: connections.optional(),
  drainFor: durationOrNever.optional(),
  confirmWithin: durationOrNever.optional(),
  hold: duration.optional(),
});

function getPreview(app: App, { director }: Api): void {
  app.get(
    '/v1/switches/preview',
    {
      schema: {
        tags,
        summary: 'What a switch would do, and what speaks against it; nothing is changed',
        querystring: previewQuery,
        response: { 200: json('As things are now', previewSchema), ...problems(400, 404, 500, 503) },
      },
    },
    async ({ query: { drainFor, confirmWithin, hold, ...order } }) =>
      previewView(await director.preview({ ...order, ...timesOf({ drainFor, confirmWithin, hold }) })),
  );
}

function listSwitches(app: App, { director }: Api): void {
  app.get(
    '/v1/switches',
    {
      schema: {
        tags,
        summary: 'Switches, newest first',
        querystring: z.object({
          limit,
          before: z.string().min(1).max(100).optional().meta({ description: 'Only older ones than this id' }),
        }),
        response: {
          200: json('One page; Link says where the next is', z.array(switchSchema)),
          ...problems(400, 500),
        },
      },
    },
    (request, reply) => {
      const records = director.switches(request.query);
      linkNext(request, reply, {
        limit: request.query.limit,
        count: records.length,
        last: records.at(-1)?.id,
      });
      void reply.send(records.map(switchView));
    },
  );
}

function getSwitch(app: App, { director }: Api): void {
  app.get(
    '/v1/switches/:id',
    {
      schema: {
        tags,
        summary: 'One switch',
        params: idParams,
        response: { 200: json('As it stands now', switchSchema), ...problems(404, 500) },
      },
    },
    ({ params }, reply) => void reply.send(switchView(director.switchById(params.id))),
  );
}

function postEnd(app: App, api: Api, verb: 'confirm' | 'rollback', summary: string): void {
  app.post(
    `/v1/switches/:id/${verb}`,
    {
      schema: {
        tags,
        summary,
        params: idParams,
        body: endRequest,
        response: { 200: json('Done', switchSchema), ...problems(400, 401, 404, 409, 415, 500, 503) },
      },
    },
    (request, reply) =>
      once(api, request, reply, async () => {
        const actor = actorOf(request, request.body?.reason);
        return { status: 200, body: switchView(await api.director[verb](request.params.id, actor)) };
      }),
  );
}

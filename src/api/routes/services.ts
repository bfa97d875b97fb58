import { z } from 'zod';
import { empty, json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { serviceDefinition, serviceView as serviceSchema } from '../contract.ts';
import { etag, ifMatch } from '../if-match.ts';
import { actorOf, knownName, nameParams, newNameParams, reasonQuery } from '../names.ts';
import { sendList } from '../send-bytes.ts';
import { serviceView } from '../views.ts';

const tags = ['services'];

export function serviceRoutes(app: App, api: Api): void {
  listServices(app, api);
  getService(app, api);
  putService(app, api);
  deleteService(app, api);
}

function listServices(app: App, { director }: Api): void {
  app.get(
    '/v1/services',
    {
      schema: {
        tags,
        summary: 'All services',
        response: {
          200: json('In the order of the configuration', z.array(serviceSchema)),
          ...problems(500),
        },
      },
    },
    async (_request, reply) => sendList(reply, await director.services(), serviceView),
  );
}

function getService(app: App, { director }: Api): void {
  app.get(
    '/v1/services/:name',
    {
      schema: {
        tags,
        summary: 'One service, its two DomUs, its testers and its trial',
        params: nameParams,
        response: { 200: json('Its ETag is its generation', serviceSchema), ...problems(404, 500) },
      },
    },
    async ({ params }, reply) => {
      const snapshot = await director.service(knownName(params.name));
      reply.header('etag', etag(snapshot.generation));
      return serviceView(snapshot);
    },
  );
}

function putService(app: App, { director }: Api): void {
  app.put(
    '/v1/services/:name',
    {
      schema: {
        tags,
        summary: 'Define a service without touching the file; If-Match guards against another operator',
        params: newNameParams,
        querystring: reasonQuery,
        body: serviceDefinition,
        response: {
          200: json('Defined anew', serviceSchema),
          201: json('Made', serviceSchema),
          ...problems(400, 401, 409, 412, 415, 422, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const expected = await ifMatch(director, name, request);
      const actor = actorOf(request, request.query.reason);
      const { snapshot, created } = await director.define(name, request.body, actor, expected);
      reply.code(created ? 201 : 200).header('etag', etag(snapshot.generation));
      if (created) reply.header('location', `/v1/services/${name}`);
      return serviceView(snapshot);
    },
  );
}

function deleteService(app: App, { director }: Api): void {
  app.delete(
    '/v1/services/:name',
    {
      schema: {
        tags,
        summary: 'Stop directing a service, and remove what is ours of it',
        params: nameParams,
        querystring: reasonQuery,
        response: { 204: empty('Removed'), ...problems(400, 401, 404, 409, 412, 500, 503) },
      },
    },
    async (request, reply) => {
      const name = knownName(request.params.name);
      const expected = await ifMatch(director, name, request);
      await director.remove(name, actorOf(request, request.query.reason), expected);
      return reply.code(204).send();
    },
  );
}

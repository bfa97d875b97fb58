import { z } from 'zod';
import { empty, json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { guestNetwork } from '../../guest/guest-network.ts';
import type { GuestNetwork } from '../../guest/guest-network.ts';
import { Refusal } from '../../lib/errors.ts';
import { guestInterface, guestView, serviceDefinition, serviceView as serviceSchema } from '../contract.ts';
import type { GuestView } from '../contract.ts';
import { etag, ifMatch } from '../if-match.ts';
import { actorOf, knownName, nameParams, newNameParams, reasonQuery } from '../names.ts';
import { sendList } from '../send-bytes.ts';
import { serviceView } from '../views.ts';

const tags = ['services'];

export function serviceRoutes(app: App, api: Api): void {
  listServices(app, api);
  getService(app, api);
  getGuest(app, api);
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

function getGuest(app: App, { director }: Api): void {
  app.get(
    '/v1/services/:name/domus/:domu/network',
    {
      schema: {
        tags,
        summary: 'What a DomU is told of its network: the vif line for xl, and the settings of the guest',
        params: nameParams.extend({
          domu: z.string().meta({ description: 'Name of the DomU', example: 'mail-b' }),
        }),
        querystring: z.object({ interface: guestInterface.optional() }),
        response: { 200: json('Text to be pasted', guestView), ...problems(400, 404, 500) },
      },
    },
    async ({ params, query }) => {
      const { service } = (await director.service(knownName(params.name))).state;
      const services = (await director.services()).map(({ state }) => state.service);
      const network = guestNetwork(services, service, params.domu, query.interface);
      if (network !== null) return copyOf(network);
      const names = service.domus.map(({ name }) => name).join(' and ');
      throw new Refusal('unknown', `${service.name} has no such DomU; its two are ${names}`);
    },
  );
}

const copyOf = (network: GuestNetwork): GuestView => structuredClone(network) as GuestView;

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

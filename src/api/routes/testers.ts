import { z } from 'zod';
import { parseSource } from '../../config/index.ts';
import { Refusal } from '../../lib/errors.ts';
import { formatSource, parseNetwork } from '../../model/address.ts';
import type { Network } from '../../model/address.ts';
import type { ServiceSnapshot } from '../../model/records.ts';
import type { Tester } from '../../model/state.ts';
import { empty, json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { testerRequest, testerView as testerSchema } from '../contract.ts';
import { keptDuration } from '../durations.ts';
import { actorOf, knownName, nameParams, reasonQuery } from '../names.ts';
import { testerView } from '../views.ts';

const tags = ['testing'];
const testerParams = nameParams.extend({
  source: z.string().meta({
    description: 'An address or a network, its slash written %2F',
    example: '198.51.100.0%2F24',
  }),
});

export function testerRoutes(app: App, api: Api): void {
  listTesters(app, api);
  getTester(app, api);
  putTester(app, api);
  deleteTester(app, api);
}

function listTesters(app: App, { director }: Api): void {
  app.get(
    '/v1/services/:name/testers',
    {
      schema: {
        tags,
        summary: 'Who reaches the secondary while testing is open',
        params: nameParams,
        response: { 200: json('Permanent and leased ones', z.array(testerSchema)), ...problems(404, 500) },
      },
    },
    async ({ params }) => (await director.service(knownName(params.name))).state.testers.map(testerView),
  );
}

function getTester(app: App, { director }: Api): void {
  app.get(
    '/v1/services/:name/testers/:source',
    {
      schema: {
        tags,
        summary: 'One tester',
        params: testerParams,
        response: { 200: json('The tester', testerSchema), ...problems(400, 404, 500) },
      },
    },
    async ({ params }) => {
      const source = networkOf(params.source);
      return testerView(await knownTester(director, params.name, source));
    },
  );
}

function putTester(app: App, { director }: Api): void {
  app.put(
    '/v1/services/:name/testers/:source',
    {
      schema: {
        tags,
        summary: 'Enrol a tester, for good or for a time; or change how long',
        params: testerParams,
        body: testerRequest,
        response: {
          200: json('Changed', testerSchema),
          201: json('Enrolled', testerSchema),
          ...problems(400, 401, 404, 409, 415, 422, 500, 503),
        },
      },
    },
    async (request, reply) => {
      const source = enrollable(request.params.source);
      const name = knownName(request.params.name);
      const { expiresIn, note } = request.body ?? {};
      const lease = {
        expiresIn: expiresIn === undefined ? null : keptDuration(expiresIn, 'expiresIn'),
        note: note ?? null,
      };
      const before = findTester(await director.service(name), source);
      const after = findTester(await director.enrol(name, source, lease, actorOf(request)), source);
      if (after === undefined) throw notATester(name, source);
      return reply.code(before === undefined ? 201 : 200).send(testerView(after));
    },
  );
}

function deleteTester(app: App, { director }: Api): void {
  app.delete(
    '/v1/services/:name/testers/:source',
    {
      schema: {
        tags,
        summary: 'Remove a leased tester',
        params: testerParams,
        querystring: reasonQuery,
        response: { 204: empty('Removed'), ...problems(400, 401, 404, 409, 422, 500, 503) },
      },
    },
    async (request, reply) => {
      const source = networkOf(request.params.source);
      await knownTester(director, request.params.name, source);
      await director.unenrol(request.params.name, source, actorOf(request, request.query.reason));
      return reply.code(204).send();
    },
  );
}

async function knownTester(director: Api['director'], name: string, source: Network): Promise<Tester> {
  const tester = findTester(await director.service(knownName(name)), source);
  if (tester === undefined) throw notATester(name, source);
  return tester;
}

export function findTester({ state }: ServiceSnapshot, source: Network): Tester | undefined {
  return state.testers.find((tester) => formatSource(tester.source) === formatSource(source));
}

function notATester(name: string, source: Network): Refusal {
  return new Refusal('unknown', `${formatSource(source)} is not a tester of "${name}"`);
}

function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (typeof network !== 'string') return network;
  throw new Refusal('invalid', network, { faults: [{ path: '{source}', message: network }] });
}

/** Held to the same rules as the file: who enrols everybody has moved everybody, and nothing moves them back. */
export function enrollable(text: string): Network {
  const network = networkOf(text);
  const wrong = parseSource(text);
  if (typeof wrong !== 'string') return network;
  throw new Refusal('unprocessable', `${wrong}; nobody was enrolled`, {
    faults: [{ path: '{source}', message: wrong }],
    ...(network.prefix === 0
      ? { hint: 'everybody is moved by a switch, which goes back by itself unless it is confirmed' }
      : {}),
  });
}

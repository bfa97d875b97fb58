import { z } from 'zod';
import { json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import {
  flowHistoryView,
  greetingView,
  rulesView as rulesSchema,
  serviceName,
  trafficView as trafficSchema,
} from '../contract.ts';
import { knownName, nameParams } from '../names.ts';
import { greetingsView, rulesView, trafficView } from '../views.ts';

const tags = ['services'];

/** Looks at what a service does, for pages and people. */
export function lookRoutes(app: App, api: Api): void {
  getRules(app, api);
  getGreetings(app, api);
  getTraffic(app, api);
  getFlows(app, api);
}

function getRules(app: App, { director }: Api): void {
  app.get(
    '/v1/services/:name/rules',
    {
      schema: {
        tags,
        summary: 'What the kernel holds of this service: its rules and sets, as they are now',
        params: nameParams,
        response: { 200: json('As iptables -S writes them', rulesSchema), ...problems(404, 500, 503) },
      },
    },
    async ({ params }) => rulesView(await director.rules(knownName(params.name))),
  );
}

function getGreetings(app: App, { director }: Api): void {
  app.get(
    '/v1/services/:name/greetings',
    {
      schema: {
        tags: ['testing'],
        summary: "What its two DomUs say to who connects to the service's first TCP ports",
        description: 'The director connects, at most once in three seconds, and listens for about one.',
        params: nameParams,
        response: { 200: json('Primary first', z.array(greetingView)), ...problems(404, 500) },
      },
    },
    async ({ params }) => greetingsView(await director.greetings(knownName(params.name))),
  );
}

function getTraffic(app: App, { director }: Api): void {
  app.get(
    '/v1/services/:name/traffic',
    {
      schema: {
        tags,
        summary: "What its DomUs' vifs have carried; two answers make a rate",
        params: nameParams,
        response: { 200: json('Counters', trafficSchema), ...problems(404, 500, 503) },
      },
    },
    async ({ params }) => trafficView(await director.traffic(knownName(params.name))),
  );
}

const flowsQuery = z.object({
  after: z.iso.datetime().optional().meta({ description: 'Only samples that are younger' }),
  service: serviceName.optional(),
});

function getFlows(app: App, { history }: Api): void {
  app.get(
    '/v1/flows',
    {
      schema: {
        tags,
        summary: 'How many flows each DomU had over the last minutes',
        querystring: flowsQuery,
        response: { 200: json('Oldest first', flowHistoryView), ...problems(400, 500) },
      },
    },
    ({ query: { after, service } }, reply) => {
      void reply.send(history.view(after === undefined ? 0 : Date.parse(after), service));
    },
  );
}

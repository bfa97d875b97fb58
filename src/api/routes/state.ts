import { z } from 'zod';
import { json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { readyView as readySchema } from '../contract.ts';
import { sendParts } from '../send-bytes.ts';
import { readyView } from '../views.ts';

const tags = ['daemon'];

export function stateRoutes(app: App, api: Api): void {
  getHealth(app);
  getReady(app, api);
  getMetrics(app, api);
  getOpenApi(app);
}

function getHealth(app: App): void {
  app.get(
    '/healthz',
    {
      schema: {
        tags,
        summary: 'Whether the daemon is alive',
        response: { 200: json('It is', z.object({ status: z.literal('ok') })) },
      },
    },
    (_request, reply) => void reply.send({ status: 'ok' }),
  );
}

function getReady(app: App, { director }: Api): void {
  app.get(
    '/readyz',
    {
      schema: {
        tags,
        summary: 'Whether the kernel holds what it should and switches are possible',
        response: { 200: json('Ready', readySchema), 503: json('Not ready, and why', readySchema) },
      },
    },
    (_request, reply) => {
      const view = readyView(director.readiness());
      void reply.code(view.ready ? 200 : 503).send(view);
    },
  );
}

function getMetrics(app: App, { metrics }: Api): void {
  app.get(
    '/metrics',
    {
      schema: {
        tags,
        summary: 'Metrics, in the Prometheus text format',
        response: {
          200: { description: 'All of them', content: { 'text/plain': { schema: z.string() } } },
          ...problems(500),
        },
      },
    },
    async (_request, reply) => {
      const { contentType, parts } = await metrics();
      return sendParts(reply, contentType, parts);
    },
  );
}

function getOpenApi(app: App): void {
  app.get(
    '/openapi.json',
    {
      schema: {
        tags,
        summary: 'This description',
        response: { 200: json('OpenAPI 3.1', z.record(z.string(), z.unknown())) },
      },
    },
    (_request, reply) => void reply.send({ ...app.swagger() }),
  );
}

import { z } from 'zod';
import { Refusal } from '../../lib/errors.ts';
import type { Meter } from '../../meter/report.ts';
import { json, problems } from '../answers.ts';
import type { Api, App } from '../context.ts';
import { cpuBaseline, cpuView, serviceName } from '../contract.ts';
import { once } from '../once.ts';

const service = serviceName
  .optional()
  .meta({ description: 'Flows of this service only; all else is of the whole host' });
const tags = ['daemon'];

export function cpuRoutes(app: App, api: Api): void {
  getCpu(app, api);
  postCalibrate(app, api);
}

function getCpu(app: App, api: Api): void {
  app.get(
    '/v1/cpu',
    {
      schema: {
        tags,
        summary: 'What routing costs in CPU, for each service, DomU and direction',
        querystring: z.object({ service }),
        response: { 200: json('The costs, and how they were measured', cpuView), ...problems(400, 500, 503) },
      },
    },
    ({ query }, reply) => {
      const { flows, unmeasured, netback, ...report } = meterOf(api).report();
      const isAsked = (about: { readonly service: string }): boolean =>
        query.service === undefined || about.service === query.service;
      void reply.send({
        ...report,
        flows: flows.filter(isAsked),
        unmeasured: unmeasured.filter(isAsked),
        netback: netback.filter(isAsked),
      });
    },
  );
}

function postCalibrate(app: App, api: Api): void {
  app.post(
    '/v1/cpu/calibrate',
    {
      schema: {
        tags,
        summary: 'Measure anew what a plain bridge costs, in network namespaces of its own',
        response: {
          200: json('What it costs', cpuBaseline),
          ...problems(401, 422, 500, 503),
        },
      },
    },
    (request, reply) =>
      once(api, request, reply, async () => ({ status: 200, body: await meterOf(api).calibrate() })),
  );
}

function meterOf({ meter }: Api): Meter {
  const found = meter();
  if (found !== null) return found;
  throw new Refusal('unavailable', 'the director is still starting; it measures once it is ready');
}

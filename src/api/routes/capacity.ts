import { z } from 'zod';
import { parseDuration } from '../../lib/duration.ts';
import { Refusal } from '../../lib/errors.ts';
import { json, problems } from '../answers.ts';
import { capacityView } from '../capacity-view.ts';
import type { Api, App } from '../context.ts';
import { capacityView as capacitySchema, duration } from '../contract.ts';

/** Milliseconds. Shorter than a few ticks of the kernel's clock tells nothing; longer, and clients give up waiting. */
const LEAST = 100;
const MOST = 20_000;

export function capacityRoutes(app: App, { director, load }: Api): void {
  app.get(
    '/v1/capacity',
    {
      schema: {
        tags: ['daemon'],
        summary: "What the host's CPU does over some seconds, and what the DomUs send and receive meanwhile",
        querystring: z.object({
          for: duration.default('3s').meta({ description: 'How long to look: 100ms to 20s' }),
        }),
        response: { 200: json('Measured now', capacitySchema), ...problems(400, 500, 503) },
      },
    },
    async (request) => {
      const measured = await load(lengthOf(request.query.for));
      return capacityView(measured, await director.services(), Date.now());
    },
  );
}

function lengthOf(text: string): number {
  const ms = parseDuration(text) ?? 0;
  if (ms >= LEAST && ms <= MOST) return ms;
  const message = `the host is looked at for 100ms to 20s, not ${text}`;
  throw new Refusal('invalid', message, { faults: [{ path: '?for', message }] });
}

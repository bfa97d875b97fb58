import { z } from 'zod';
import { Refusal } from '../../lib/errors.ts';
import { parseAddress } from '../../model/address.ts';
import type { Address } from '../../model/address.ts';
import { json, problems } from '../answers.ts';
import { callerOf } from '../caller.ts';
import type { Api, App } from '../context.ts';
import { whoamiView as whoamiSchema } from '../contract.ts';
import { whoamiView } from '../views.ts';

export function whoamiRoutes(app: App, { director, access, trustedProxies }: Api): void {
  app.get(
    '/v1/whoami',
    {
      schema: {
        tags: ['testing'],
        summary: 'Where the caller, or ?source=, is directed to by each service, and why',
        querystring: z.object({
          source: z
            .string()
            .optional()
            .meta({ description: 'Instead of the caller: an address', example: '198.51.100.7' }),
        }),
        response: { 200: json('One row for each service', whoamiSchema), ...problems(400, 500) },
      },
    },
    (request, reply) => {
      const asked = request.query.source;
      const caller = access.via === 'tcp' ? callerOf(request, trustedProxies) : null;
      const source = asked === undefined ? (caller?.peer ?? null) : addressOf(asked);
      void reply.send(whoamiView(source?.text ?? null, director.whoami(source)));
    },
  );
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (typeof address !== 'string') return address;
  throw new Refusal('invalid', address, { faults: [{ path: '?source', message: address }] });
}

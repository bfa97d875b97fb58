import type { FastifyDynamicSwaggerOptions, SwaggerTransformObject } from '@fastify/swagger';
import { createJsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';

const transform = createJsonSchemaTransform({});

/** OpenAPI 3.1 from the same schemas that validate; what all routes have in common is added here, once. */
export function openApiOptions(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Dom0 Director',
        version,
        description:
          "Directs each service's traffic between its two guests: test the new one, switch, roll back. " +
          'Served over a unix socket, where no token is needed, and, where configured, over TCP.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: TAGS,
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description:
              'Over TCP, for every call that changes something, and for consoles. The configuration has its SHA-256.',
          },
        },
      },
    },
    transform: (document) => {
      const { schema, url } = transform(document);
      const { method, config } = document.route as { method: unknown; config?: { confidential?: boolean } };
      return { schema: { ...schema, ...common(String(method), config?.confidential === true) }, url };
    },
    transformObject: (document) =>
      withoutUnused(jsonSchemaTransformObject(document)) as ReturnType<SwaggerTransformObject>,
  };
}

const TAGS = [
  { name: 'services', description: 'What is directed, and where to' },
  { name: 'switches', description: 'Cutovers: one or several services, all or nothing' },
  { name: 'stages', description: 'Making the dark DomU from the live one' },
  { name: 'testing', description: 'Who reaches the secondary' },
  { name: 'journal', description: 'What happened' },
  { name: 'daemon', description: 'The director itself' },
];

function common(method: string, isConfidential: boolean): object {
  const security = [{ token: [] }, {}];
  if (method === 'GET' || method === 'HEAD') return isConfidential ? { security } : {};
  return method === 'POST' ? { security, headers: IDEMPOTENCY } : { security };
}

const IDEMPOTENCY = {
  type: 'object',
  properties: {
    'idempotency-key': {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      description: 'The same key again gets the first answer again, and nothing is done twice',
      example: '0b6e4a4e-6f0c-4a35-8f5d-6a2f9a3d8c11',
    },
  },
};

interface OpenApi {
  readonly paths?: object;
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

/** The library writes each schema twice, as input and as output; only those that are meant are kept. */
function withoutUnused(document: OpenApi): OpenApi {
  const schemas = document.components?.schemas ?? {};
  const kept: Record<string, unknown> = {};
  const queue: unknown[] = [document.paths];
  while (queue.length > 0) {
    for (const [, name = ''] of JSON.stringify(queue.shift()).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (name in kept) continue;
      kept[name] = schemas[name];
      queue.push(schemas[name] ?? {});
    }
  }
  return { ...document, components: { ...document.components, schemas: kept } };
}

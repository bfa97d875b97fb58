import { afterAll, beforeAll, expect, test } from 'vitest';
import { appWith } from './support/api-double.ts';

interface Operation {
  summary?: string;
  security?: object[];
  parameters?: { name: string; in: string }[];
  requestBody?: object;
  responses: Record<string, { description?: string; content?: Record<string, object> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown>; securitySchemes: object };
}

let document: Document;
let routes: Set<string>;
let close: () => Promise<void>;

beforeAll(async () => {
  const { app, close: end } = await appWith();
  close = end;
  document = (await app.inject('/openapi.json')).json();
  routes = new Set(routesIn(app.printRoutes({ commonPrefix: false })));
});
afterAll(() => close());

/** `├── v1/services (GET, HEAD)` lines, nested by indentation of four characters. */
function routesIn(tree: string): string[] {
  const stack: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const match = /^([│ ]*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?$/.exec(line);
    if (match === null) return [];
    const depth = (match[1] ?? '').length / 4;
    stack.length = depth;
    stack.push(match[2] ?? '');
    const methods = (match[3] ?? '').split(', ').filter((name) => name !== '' && name !== 'HEAD');
    return methods.map((method) => `${method} ${stack.join('').replaceAll(/:(\w+)/g, '{$1}')}`);
  });
}

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );

test('describes every route, and no other', () => {
  expect(routes.size).toBeGreaterThan(20);
  expect(
    operations()
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual([...routes].toSorted());
});

test('is OpenAPI 3.1, and each reference in it leads somewhere', () => {
  expect(document.openapi).toBe('3.1.0');
  const names = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
    ([, name]) => name,
  );
  expect(names.length).toBeGreaterThan(20);
  for (const name of names) expect(document.components.schemas[name!]).toMatchObject({ type: 'object' });
  expect(Object.keys(document.components.schemas).toSorted()).toEqual([...new Set(names)].toSorted());
});

test('each call has a summary and at least one problem; those that change something, or tell of consoles, ask for the token', () => {
  for (const { name, operation } of operations()) {
    expect(operation.summary, name).toBeTruthy();
    const unfailing = ['GET /healthz', 'GET /openapi.json', 'GET /readyz'].includes(name);
    const problems = Object.values(operation.responses).filter(
      ({ content }) => content !== undefined && 'application/problem+json' in content,
    );
    expect(problems.length > 0, name).toBe(!unfailing);
    const free = name.startsWith('GET') && !name.endsWith('/console');
    expect(operation.security, name).toEqual(free ? undefined : [{ token: [] }, {}]);
  }
  expect(document.components.securitySchemes).toMatchObject({ token: { type: 'http', scheme: 'bearer' } });
});

test('POSTs tell of Idempotency-Key, and bodies are described with examples', () => {
  for (const { name, operation } of operations().filter((each) => each.name.startsWith('POST'))) {
    expect(operation.parameters, name).toContainEqual(
      expect.objectContaining({ name: 'idempotency-key', in: 'header' }),
    );
  }
  expect(JSON.stringify(document.paths['/v1/switches'])).toContain('requestBody');
  const text = JSON.stringify(document);
  expect(text).toContain('"mail 2.0"');
  expect(text).toContain('vif1.0');
});

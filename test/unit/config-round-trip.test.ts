import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { describeService, parseConfig, parseService } from '../../src/config/index.ts';

const hostByte = fc.integer({ min: 2, max: 254 });
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,15}$/);
const duration = fc
  .tuple(fc.integer({ min: 1, max: 20 }), fc.constantFrom('s', 'm', 'h', 'd'))
  .map(([n, unit]) => `${n}${unit}`);
const durationOrNever = fc.oneof(duration, fc.constant('never'));

/** Ports that do not overlap: each in a thousand of its own. */
const ports = fc
  .uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 })
  .chain((thousands) =>
    fc.tuple(
      ...thousands.map((thousand) =>
        fc
          .tuple(
            fc.integer({ min: 0, max: 800 }),
            fc.integer({ min: 0, max: 99 }),
            fc.constantFrom('tcp', 'udp'),
            fc.option(fc.integer({ min: 1, max: 65_000 })),
          )
          .map(([offset, size, protocol, to]) => {
            const from = thousand * 1000 + offset;
            const port = `${size === 0 ? from : `${from}-${from + size}`}/${protocol}`;
            return to === null ? port : { port, to };
          }),
      ),
    ),
  );

const source = fc.oneof(
  fc.tuple(hostByte, hostByte).map(([a, b]) => `198.18.${a}.${b}`),
  hostByte.map((a) => `198.51.${a}.0/24`),
);
const sources = fc.uniqueArray(source, { maxLength: 4 });

const definition = fc
  .record({
    six: fc.boolean(),
    service: hostByte,
    domus: fc.uniqueArray(hostByte, { minLength: 2, maxLength: 2 }),
    names: fc.uniqueArray(name, { minLength: 2, maxLength: 2 }),
    vifs: fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }),
    xen: fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }),
    announce: fc.boolean(),
    ports,
    testers: sources,
    admins: sources,
    cutover: fc.record(
      {
        connections: fc.constantFrom('drain', 'cut'),
        drainFor: durationOrNever,
        confirmWithin: durationOrNever,
      },
      { requiredKeys: [] },
    ),
    check: fc.constantFrom('tcp', 'off'),
  })
  .map(({ six, service, domus, names, vifs, xen, check, ...rest }) => ({
    ...rest,
    addresses: [`192.0.2.${service}`, ...(six ? [`2001:DB8:0:0::${service}`] : [])],
    bridge: { name: 'br0', gateway: ['10.50.0.1/24', ...(six ? ['fd00:0050::1/64'] : [])] },
    domus: domus.map((host, i) => ({
      name: names[i],
      addresses: [`10.50.0.${host}`, ...(six ? [`fd00:50:0::${host}`] : [])],
      vifs: vifs[i] === true ? [`vif${i}.0`] : [],
      ...(xen[i] === true ? { domain: `guest${i}`, macs: [`00:16:3E:00:00:0${i}`] } : {}),
    })),
    health: { check, every: '10s', timeout: '500ms' },
  }));

test('a service that was described is read back as it was, over the API and in a file', () => {
  fc.assert(
    fc.property(name, definition, (serviceName, given) => {
      const first = parseService(serviceName, given);
      if (!('service' in first)) throw new Error(JSON.stringify(first.faults));
      const described = describeService(first.service);
      expect(parseService(serviceName, described)).toEqual(first);
      expect(parseService(serviceName, JSON.parse(JSON.stringify(described)))).toEqual(first);

      const text = stringify({ uplink: 'eth0', services: { [serviceName]: described } });
      expect(parseConfig(text, 'd.yaml')).toMatchObject({ config: { services: [first.service] } });
    }),
    { numRuns: 60 },
  );
});

test('whatever stands in a definition, the answer is a service or faults with paths in it', () => {
  const keys = [
    'addresses',
    'announce',
    'ports',
    'bridge',
    'domus',
    'testers',
    'admins',
    'cutover',
    'health',
  ];
  const junk = fc.dictionary(fc.constantFrom(...keys), fc.anything({ maxDepth: 3, withBigInt: true }));
  const mixed = fc.tuple(definition, junk).map(([good, bad]) => ({ ...good, ...bad }));
  fc.assert(
    fc.property(mixed, (given) => {
      const result = parseService('web', given);
      if ('service' in result) return;
      expect(result.faults.length).toBeGreaterThan(0);
      for (const { path, message } of result.faults) {
        expect(path.startsWith('services.web.')).toBe(true);
        expect(message).not.toBe('');
      }
    }),
    { numRuns: 200 },
  );
});

test('whatever the text, the answer is a configuration or faults with places', () => {
  const token = fc.constantFrom(
    'services:',
    'mail',
    ': ',
    '\n  ',
    '[',
    ']',
    '{',
    '}',
    '- ',
    '&a ',
    '*a',
    '!t ',
    '#',
    '"',
    '|',
    '---',
    '%',
    '\t',
    '?',
    'null',
    '25',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 25 }), (tokens) => {
      const result = parseConfig(tokens.join(''), 'd.yaml');
      if ('config' in result) return;
      expect(result.faults.length).toBeGreaterThan(0);
      for (const { line, column } of result.faults) {
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
      }
    }),
    { numRuns: 1000 },
  );
});

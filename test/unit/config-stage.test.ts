import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { describeService, parseConfig, parseService } from '../../src/config/index.ts';
import type { StageSettings } from '../../src/model/stage.ts';
import { definition } from './support/engine-bench.ts';

const text = (stage: unknown): string =>
  stringify({ uplink: 'eth0', services: { mail: definition('mail', 25, { stage }) } });

function settings(stage: unknown): StageSettings | null {
  const result = parseConfig(text(stage), 'd.yaml');
  if ('faults' in result) throw new Error(result.faults.map(({ message }) => message).join('; '));
  return result.config.services[0]!.stage;
}

const DEFAULTS = {
  guests: '/etc/xen',
  size: 100,
  quiesce: 'auto',
  quiesceFor: 10_000,
  check: true,
  prepare: null,
  prepareWithin: 300_000,
  healthyWithin: 300_000,
  keep: { count: 1, for: 604_800_000 },
};

test('how a DomU is staged has defaults; without the section it is not staged', () => {
  expect(settings(undefined)).toBeNull();
  expect(settings({})).toEqual(DEFAULTS);
  expect(settings({ keep: { count: 0 }, size: '20%' })).toEqual({
    ...DEFAULTS,
    size: 20,
    keep: { count: 0, for: 604_800_000 },
  });
});

test('what is described is read back from a file as it was', () => {
  const given = {
    prepare: ['/bin/prepare', '--quick'],
    quiesce: 'never',
    check: false,
    healthyWithin: '90s',
  };
  const result = parseConfig(text(given), 'd.yaml');
  if ('faults' in result) throw new Error('it is right');
  const [service] = result.config.services;
  const described = stringify({ uplink: 'eth0', services: { mail: describeService(service!) } });
  expect(parseConfig(described, 'd.yaml')).toMatchObject({ config: { services: [service] } });
});

test.each([
  [null, 'has no value; what is needed is how the dark DomU is made from the live one; {} for the defaults'],
  [{ guests: 'xen' }, '"xen" is relative; write an absolute path'],
  [{ size: '120%' }, '"120%" is no share of a volume; write 5% to 100%'],
  [{ size: 20 }, '20 is a number; what is needed is a share of the volume'],
  [{ quiesce: 'alwasy' }, 'did you mean "always"?'],
  [{ prepare: [] }, 'is empty; write a program, or leave it out'],
  [{ prepare: ['prepare'] }, '"prepare" is relative; write the program\'s absolute path'],
  [{ prepare: '/bin/prepare' }, 'what is needed is a program and its arguments, such as'],
  [{ keep: { count: -1 } }, '-1 is not right; write 0 to 100'],
  [{ healthyWithin: '1' }, 'is not a duration'],
  [{ helthyWithin: '1m' }, 'did you mean "healthyWithin"?'],
])('a section that is wrong is refused with its place: %j', (stage, message) => {
  const result = parseConfig(text(stage), 'd.yaml');
  if ('config' in result) throw new Error('it is wrong');
  expect(result.faults).toHaveLength(1);
  expect(result.faults[0]?.path).toMatch(/^services\.mail\.stage/);
  expect(result.faults[0]?.message).toContain(message);
});

test("whoever may define a service over the API names no programs and files of root's", () => {
  const result = parseService('mail', definition('mail', 25, { stage: { prepare: ['/bin/sh'] } }));
  expect(result).toMatchObject({
    faults: [
      { path: 'services.mail.stage', message: expect.stringContaining('configuration file alone') as string },
    ],
  });
});
